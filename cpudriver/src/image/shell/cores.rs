//! `cores`: the machine as the coordinator sees it.

use super::{Failed, Outcome, Shell, say};
use crate::arch::smp::{self, PHASES};
use crate::arch::{cpu, shared, uart};
use crate::console::output::{Format, Table, Value, number, record, text};
use crate::image::clock;
use crate::post::{Activity, Hardware, Knocks, Traffic};
use monitor::{CoreState, CoreView};
use proto::id::CoreId;
use proto::message::{ToCore, ToMonitor};

/// All that `cores` shows of a core.
struct Shown {
    view: CoreView,
    /// Whether it was halted before it was asked for its counters.
    asleep: bool,
    sent: Traffic,
    received: Traffic,
    knocks: Knocks,
    counters: Option<ToMonitor>,
}

impl Shown {
    /// The coordinator's word, or for a core that serves whether it is halted at the moment.
    fn state(&self) -> &'static str {
        match self.view.state {
            CoreState::Online if self.asleep => "halted",
            state => state.name(),
        }
    }

    fn halts(&self) -> Option<u32> {
        match self.counters {
            Some(ToMonitor::Counters { halts, .. }) => Some(halts),
            _ => None,
        }
    }

    fn doorbells(&self) -> Option<u32> {
        match self.counters {
            Some(ToMonitor::Counters { doorbells, .. }) => Some(doorbells),
            _ => None,
        }
    }
}

impl Shell<'_> {
    pub(super) fn cores(&mut self, format: Format) -> Outcome {
        let table = Table::new(
            format,
            [
                number("core", 4),
                number("apic", 4),
                text("state", 8),
                number("online_us", 9),
                number("sent", 8),
                number("sent_bytes", 10),
                number("received", 8),
                number("received_bytes", 14),
                number("bells", 6),
                number("saved", 6),
                number("rang", 6),
                number("halts", 6),
                number("pid", 5),
                number("vcore", 5),
                text("program", 0),
            ],
        );
        let _ = table.heading(&mut uart::Writer);
        for core in self.all_cores() {
            let Some(shown) = self.look_at(core) else { continue };
            let lease = shown.view.held.map(|held| held.lease);
            let process = lease.and_then(|lease| self.hub.coordinator().process(lease.pid));
            let _ = table.row(
                &mut uart::Writer,
                [
                    u64::from(core.0).into(),
                    u64::from(smp::apic_id(core).0).into(),
                    shown.state().into(),
                    after_init(core, PHASES.len() - 1).into(),
                    shown.sent.messages.into(),
                    shown.sent.bytes.into(),
                    shown.received.messages.into(),
                    shown.received.bytes.into(),
                    shown.knocks.rung.into(),
                    shown.knocks.suppressed.into(),
                    shown.doorbells().into(),
                    shown.halts().into(),
                    lease.map(|lease| u64::from(lease.pid.0)).into(),
                    lease.map(|lease| u64::from(lease.vcore.0)).into(),
                    process.as_ref().map(|process| process.name.as_str()).into(),
                ],
            );
        }
        Ok(())
    }

    pub(super) fn core(&mut self, core: CoreId, format: Format) -> Outcome {
        let Some(shown) = self.look_at(core) else {
            say!("core {core}: no such core; there are {}", smp::count());
            return Err(Failed);
        };
        let held = shown.view.held;
        let lease = held.map(|held| {
            [
                ("pid", Value::from(u64::from(held.lease.pid.0))),
                ("vcore", u64::from(held.lease.vcore.0).into()),
                ("epoch", u64::from(held.lease.epoch.0).into()),
                ("since_us", clock::micros(cpu::now().saturating_sub(held.since)).into()),
                ("started", Value::Bool(held.started)),
                ("leaving", Value::Bool(held.leaving.is_some())),
            ]
        });
        let outstanding = [
            ("ping", Value::Bool(shown.view.ping_outstanding)),
            ("dump", Value::Bool(shown.view.dump_outstanding)),
            ("stop", Value::Bool(shown.view.stop_outstanding)),
        ];
        let phases: [_; PHASES.len()] =
            core::array::from_fn(|at| (PHASE_NAMES[at], after_init(core, at).into()));
        let counters = counters(shown.counters);
        let fields = [
            ("core", Value::from(u64::from(core.0))),
            ("apic", u64::from(smp::apic_id(core).0).into()),
            ("state", shown.state().into()),
            ("phases_us", Value::Map(&phases)),
            ("sent", shown.sent.messages.into()),
            ("sent_bytes", shown.sent.bytes.into()),
            ("received", shown.received.messages.into()),
            ("received_bytes", shown.received.bytes.into()),
            ("doorbells", shown.knocks.rung.into()),
            ("doorbells_saved", shown.knocks.suppressed.into()),
            ("counters", Value::Map(&counters)),
            ("lease", lease.as_ref().map_or(Value::None, |lease| Value::Map(lease))),
            ("outstanding", Value::Map(&outstanding)),
            ("unexpected", shown.view.unexpected.into()),
        ];
        let _ = record(&mut uart::Writer, format, &fields);
        Ok(())
    }

    pub(super) fn all_cores(&self) -> impl Iterator<Item = CoreId> + use<> {
        (0..smp::count()).filter_map(|core| u16::try_from(core).ok()).map(CoreId)
    }

    fn look_at(&mut self, core: CoreId) -> Option<Shown> {
        let view = self.hub.coordinator().core(core)?;
        let asleep = shared::this_core().activity_of(core) == Activity::Asleep;
        let counters = match view.state {
            CoreState::Online if core == CoreId::MANAGEMENT => self.cpu.node.obey(&ToCore::Count),
            CoreState::Online => self.hub.order(self.cpu, core, ToCore::Count).ok(),
            _ => None,
        };
        let (sent, received) = self.hub.stars().traffic(core);
        let knocks = self.cpu.node.outbox().knocks(core);
        Some(Shown { view, asleep, sent, received, knocks, counters })
    }
}

/// The phases of a core's start, in the order of [`PHASES`].
pub(in crate::image) const PHASE_NAMES: [&str; PHASES.len()] =
    ["init", "start_up", "trampoline", "long_mode", "rust", "online"];

/// Microseconds from INIT to a phase of a core's last start; `None` if it has not come so far.
fn after_init(core: CoreId, phase: usize) -> Option<u64> {
    let stamps = smp::stamps(core);
    let reached = stamps[phase] != 0 && stamps[0] != 0;
    reached.then(|| clock::micros(stamps[phase].saturating_sub(stamps[0])))
}

/// What only the core itself knows, by name.
fn counters(counters: Option<ToMonitor>) -> [(&'static str, Value<'static>); 7] {
    let known = match counters {
        Some(ToMonitor::Counters {
            doorbells,
            halts,
            heard,
            timers,
            peer_sent,
            peer_received,
            asleep,
        }) => {
            let counts = [doorbells, halts, heard, timers].map(Value::from);
            let [doorbells, halts, heard, timers] = counts;
            let peers = [peer_sent, peer_received, clock::micros(asleep)].map(Value::from);
            let [sent, received, asleep] = peers;
            [doorbells, halts, heard, timers, sent, received, asleep]
        }
        _ => [Value::None; 7],
    };
    let names = ["rang", "halts", "heard", "timers", "peer_sent", "peer_received", "asleep_us"];
    core::array::from_fn(|at| (names[at], known[at]))
}
