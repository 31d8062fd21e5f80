//! What the person at the console should know though nobody asked.

use super::{Shell, print};
use crate::arch::report::{self, REPORT_BYTES};
use monitor::{Event, LossCause, User};
use proto::id::CoreId;

impl Shell<'_> {
    /// Prints what has happened since the last time.
    pub(crate) fn show_notices(&mut self) {
        while let Some(notice) = self.hub.next_notice() {
            match notice {
                Event::CoreLost { core, why } => self.lost(core, why),
                Event::CoreBack { core } => {
                    self.announce(format_args!("core {core} answers again"));
                }
                Event::GivenToEve { process } => {
                    let (pid, eve) = (process.pid, User::EVE);
                    self.announce(format_args!(
                        "process {pid} has no parent: its user is {}",
                        eve.as_str()
                    ));
                }
                // Cores that join are counted when the machine has booted.
                _ => {}
            }
        }
    }

    fn lost(&mut self, core: CoreId, why: LossCause) {
        match why {
            LossCause::NeverJoined => self.announce(format_args!(
                "core {core} did not answer its start-up in time and is left out"
            )),
            LossCause::StartFailed => {
                self.announce(format_args!("core {core} could not be started"));
            }
            LossCause::NoAnswer => self.announce(format_args!(
                "core {core} does not answer any more; `bt {core}` shows what it is doing"
            )),
            LossCause::Panicked { .. } => {
                self.announce(format_args!(
                    "core {core} has failed; the others go on, `start {core}` brings it back"
                ));
                show_report(core);
            }
        }
    }
}

/// Prints a core's last report.
pub(crate) fn show_report(core: CoreId) {
    let mut buffer = [0; REPORT_BYTES];
    print(format_args!("{}", report::read(core, &mut buffer)));
}
