//! Reports: a core is asked for one by message, then by NMI.
//!
//! A core that hangs leaves the message in its ring, so there is never a second one beside it: who is asked
//! again gets an NMI at once.

use crate::coordinator::Coordinator;
use crate::cores::{CoreState, Dump, Timer};
use crate::output::{Event, Outbox, Output, Refusal};
use proto::id::CoreId;
use proto::message::ToCore;

impl Coordinator {
    pub(crate) fn ask_dump(&mut self, core: CoreId, out: &mut Outbox) -> Result<(), Refusal> {
        let it = self.known(core)?;
        // A silent core is the one whose report is wanted most: the NMI reaches it.
        if it.state != CoreState::Silent {
            it.serves()?;
        }
        if it.dump != Dump::None {
            return Err(Refusal::Busy);
        }
        let it = &mut self.cores[core.index()];
        if !it.dump_sent {
            it.dump_sent = true;
            out.send(core, ToCore::Dump);
        } else if core != CoreId::MANAGEMENT {
            self.dump_by_nmi(core, out);
            return Ok(());
        }
        self.wait_for_dump(core, Dump::Asked);
        Ok(())
    }

    fn dump_by_nmi(&mut self, core: CoreId, out: &mut Outbox) {
        self.wait_for_dump(core, Dump::ByNmi);
        out.push(Output::Nmi { core });
    }

    fn wait_for_dump(&mut self, core: CoreId, dump: Dump) {
        self.cores[core.index()].dump = dump;
        self.set_timer(Timer::Dump(core), self.now.saturating_add(self.config.answer_timeout));
    }

    /// The core has answered the message, however late.
    pub(crate) fn on_dumped(&mut self, core: CoreId, report: u32, out: &mut Outbox) {
        let it = &mut self.cores[core.index()];
        it.dump_sent = false;
        if it.dump == Dump::None {
            return self.count_unexpected(core);
        }
        self.dumped(core, report, false, out);
    }

    /// An NMI has made the core write its report.
    pub(crate) fn on_nmi_answered(&mut self, core: CoreId, report: u32, out: &mut Outbox) {
        match self.cores.get(core.index()).map(|it| it.dump) {
            Some(Dump::ByNmi) => self.dumped(core, report, true, out),
            Some(_) => self.count_unexpected(core),
            None => self.counters.unexpected += 1,
        }
    }

    fn dumped(&mut self, core: CoreId, report: u32, by_nmi: bool, out: &mut Outbox) {
        self.cores[core.index()].dump = Dump::None;
        self.cancel_timer(Timer::Dump(core));
        out.tell(Event::Dumped { core, report, by_nmi });
    }

    pub(crate) fn on_dump_overdue(&mut self, core: CoreId, out: &mut Outbox) {
        if self.cores[core.index()].dump == Dump::Asked && core != CoreId::MANAGEMENT {
            self.dump_by_nmi(core, out);
        } else {
            self.cores[core.index()].dump = Dump::None;
            out.tell(Event::DumpUnanswered { core });
        }
    }

    /// No report will come from this core any more.
    pub(crate) fn end_dump(&mut self, core: CoreId, out: &mut Outbox) {
        if core::mem::take(&mut self.cores[core.index()].dump) != Dump::None {
            self.cancel_timer(Timer::Dump(core));
            out.tell(Event::DumpUnanswered { core });
        }
    }
}
