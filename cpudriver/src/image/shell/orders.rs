//! Commands that ask something of one core, and wait for what comes of it.

use super::notices::show_report;
use super::{Failed, Outcome, Shell, print, say};
use crate::arch::uart;
use crate::console::output::{Format, Value, record};
use crate::image::clock;
use crate::image::hub::Hub;
use crate::stats::Summary;
use alloc::vec::Vec;
use monitor::{Command, CoreState, Event, Input};
use proto::id::CoreId;
use proto::message::ToCore;

/// Round trips whose times are kept; all are made.
const MAX_PINGS: usize = 4096;

impl Shell<'_> {
    /// Has the coordinator do something and waits for its answer.
    pub(super) fn ask(&mut self, command: Command) -> Result<Event, Failed> {
        self.hub.tell(Input::Console(command), &mut self.cpu.node);
        let event = self.hub.wait(self.cpu, None, Hub::next_event);
        match event {
            Some(Event::Refused { command, why }) => {
                say!("core {}: {why}", command.core());
                Err(Failed)
            }
            Some(event) => Ok(event),
            None => Err(Failed),
        }
    }

    pub(super) fn ping(&mut self, core: CoreId, count: u32, format: Format) -> Outcome {
        let mut samples = Vec::with_capacity(MAX_PINGS.min(count as usize));
        for _ in 0..count {
            match self.ask(Command::Ping { core })? {
                Event::Pong { round_trip, .. } if samples.len() < samples.capacity() => {
                    samples.push(round_trip);
                }
                Event::Pong { .. } => {}
                _ => {
                    say!("core {core} does not answer");
                    return Err(Failed);
                }
            }
            if self.hub.interrupted() {
                break;
            }
        }
        let Some(summary) = Summary::of(&mut samples) else { return Err(Failed) };
        let _ = record(
            &mut uart::Writer,
            format,
            &[
                ("core", Value::from(u64::from(core.0))),
                ("round_trips", Value::from(summary.n)),
                ("unit", Value::from(self.ticks().unit())),
                ("min", Value::from(summary.min)),
                ("p50", Value::from(summary.p50)),
                ("p99", Value::from(summary.p99)),
                ("max", Value::from(summary.max)),
            ],
        );
        Ok(())
    }

    pub(super) fn backtrace(&mut self, core: CoreId) -> Outcome {
        match self.ask(Command::Dump { core })? {
            Event::Dumped { by_nmi, .. } => {
                if by_nmi {
                    say!("core {core} did not answer the message; it answered an NMI:");
                }
                show_report(core);
                Ok(())
            }
            _ => {
                say!("core {core} answered neither the message nor an NMI");
                Err(Failed)
            }
        }
    }

    pub(super) fn stop_core(&mut self, core: CoreId) -> Outcome {
        match self.ask(Command::Stop { core })? {
            Event::Stopped { .. } => {
                self.announce(format_args!("core {core} is stopped"));
                Ok(())
            }
            _ => {
                say!("core {core} did not answer");
                Err(Failed)
            }
        }
    }

    pub(super) fn start_core(&mut self, core: CoreId) -> Outcome {
        match self.ask(Command::Start { core })? {
            Event::Started { took, .. } => {
                self.announce(format_args!("core {core} is online after {}", clock::Span(took)));
                Ok(())
            }
            _ => {
                say!("core {core} did not come up");
                Err(Failed)
            }
        }
    }

    /// Makes a core panic, and waits until the coordinator has noticed.
    pub(super) fn panic_core(&mut self, core: CoreId) -> Outcome {
        if core == CoreId::MANAGEMENT {
            panic!("asked to by the console");
        }
        self.order_misbehaviour(core, ToCore::Panic)?;
        let until = clock::in_seconds(2);
        self.hub.wait(self.cpu, Some(until), |hub| {
            let state = hub.coordinator().core(core).map(|core| core.state);
            (state != Some(CoreState::Online)).then_some(())
        });
        self.show_notices();
        Ok(())
    }

    pub(super) fn hang_core(&mut self, core: CoreId) -> Outcome {
        self.order_misbehaviour(core, ToCore::Hang)?;
        say!("core {core} hangs with interrupts off; it will miss a ping");
        Ok(())
    }

    fn order_misbehaviour(&mut self, core: CoreId, order: ToCore) -> Outcome {
        let state = self.hub.coordinator().core(core).map(|core| core.state);
        if state != Some(CoreState::Online) {
            print(format_args!("core {core}: not online\n"));
            return Err(Failed);
        }
        if !self.hub.offer(core, order, &mut self.cpu.node) {
            say!("core {core} has not read what it was sent before");
            return Err(Failed);
        }
        self.cpu.node.flush();
        Ok(())
    }
}
