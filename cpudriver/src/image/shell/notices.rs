//! What the person at the console should know though nobody asked.

use super::{Shell, print};
use crate::arch::cpu;
use crate::arch::report::{self, REPORT_BYTES};
use crate::arch::{page_fault, trap_name};
use crate::image::hub::Hub;
use core::fmt;
use monitor::{Event, Fault, LossCause, User};
use proto::id::{CoreId, VcoreId};

impl Shell<'_> {
    /// Prints what has happened since the last time.
    pub(crate) fn show_notices(&mut self) {
        if self.hub.output_waits() {
            self.print_above(Hub::release_output);
        }
        while let Some(notice) = self.hub.next_notice() {
            match notice {
                Event::CoreLost { core, why } => self.lost(core, why),
                Event::CoreBack { core } => {
                    self.announce(format_args!("core {core} answers again"));
                }
                Event::GivenToEve { process } => {
                    let (pid, eve) = (process.pid, User::EVE);
                    let text =
                        format_args!("process {pid} has no parent: its user is {}", eve.as_str());
                    self.log.write(cpu::now(), text);
                }
                Event::Faulted { name, process, vcore, fault, overflowed } => {
                    self.announce(format_args!(
                        "{} (process {}) was ended by {}{}",
                        name.as_str(),
                        process.pid,
                        FaultText(fault),
                        Overflow { pages: overflowed, address: fault.address, vcore }
                    ));
                }
                Event::Ended { process, code } => {
                    let (pid, code) = (process.pid, code.0);
                    self.announce(format_args!("process {pid} has ended with {code}"));
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

/// The stack of so many pages, if it is one, in the guard below which the address lies.
struct Overflow {
    pages: u16,
    address: u64,
    vcore: VcoreId,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pages, address, vcore } = *self;
        if pages == 0 {
            return Ok(());
        }
        let start = ((address >> 12) + 1) << 12;
        let end = start + (u64::from(pages) << 12);
        write!(f, ": on vcore {vcore} the stack from {start:#x} to {end:#x} has overflowed")
    }
}

/// An exception of a program, in words.
struct FaultText(Fault);

impl fmt::Display for FaultText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PAGE_FAULT: u8 = 14;
        let Fault { vector, code, address, at } = self.0;
        write!(f, "{} at {at:#x}", trap_name(vector))?;
        if vector == PAGE_FAULT {
            let (how, what) = page_fault(code.into());
            return write!(f, ": {how} {address:#x}, where {what}");
        }
        if code != 0 { write!(f, " (error {code:#x})") } else { Ok(()) }
    }
}
