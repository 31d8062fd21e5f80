//! Shootdowns that are about nothing, to measure what it costs to tell cores and to hear from them.

use super::Hub;
use crate::arch::{cpu as machine, line};
use crate::image::clock;
use crate::image::cpu::Cpu;
use monitor::{CoreSet, Strategy};
use proto::id::{Generation, Pid};
use proto::message::{PageRange, ToCore};

/// The ticket of such a shootdown; the coordinator's are others.
pub(super) const TICKET: u32 = 0;
/// Seconds that cores may take.
const PATIENCE: u64 = 10;
/// Looks at an answer before something else is looked at.
const LOOKS: u32 = 1 << 12;

impl Hub {
    /// Tells cores to flush in that way, of which none has a space loaded that this is about, and waits until all have
    /// answered; false if one doesn't.
    pub(crate) fn tell_raw(&mut self, cpu: &mut Cpu, strategy: &Strategy, cores: &CoreSet) -> bool {
        self.answers.flushed = CoreSet::EMPTY;
        let mut asked = CoreSet::EMPTY;
        let fan_out = self.coordinator.fan_out();
        let (pid, generation, range) = (Pid(0), Generation(0), PageRange::default());
        let alone = ToCore::TlbShootdown { pid, generation, range, ticket: TICKET };
        if strategy.is_direct() {
            asked = *cores;
            self.send_all(cores, &alone, &mut cpu.node);
        } else {
            strategy.groups(cores, &mut |first, below| {
                let tree =
                    ToCore::TlbMulticast { pid, generation, range, ticket: TICKET, fan_out, below };
                asked.insert(first);
                let order = if below.is_empty() { &alone } else { &tree };
                self.deliver(first, order, &mut cpu.node);
            });
        }
        cpu.node.flush();
        let all = |hub: &mut Self| asked.without(&hub.answers.flushed).is_empty().then_some(());
        self.wait(cpu, Some(clock::in_seconds(PATIENCE)), all).is_some()
    }

    /// Tells cores that poll the shared line, and waits until all have answered; false if one doesn't.
    pub(crate) fn tell_by_line(&mut self, cpu: &mut Cpu, cores: &CoreSet) -> bool {
        let number = line::told() + 1;
        line::tell(number);
        let until = clock::in_seconds(PATIENCE);
        for core in cores.iter() {
            let mut looks = 0_u32;
            while line::answered(core) != number {
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(LOOKS) {
                    self.pass(cpu);
                    if machine::now() > until {
                        return false;
                    }
                }
                machine::pause();
            }
        }
        true
    }
}
