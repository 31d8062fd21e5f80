//! The kernel image: joins the pure parts of this crate to the hardware. No unsafe code.
//!
//! [`main`] is the life of core 0 and [`core_main`] that of every other core, side by side:
//!
//! | core 0 | every other core |
//! |---|---|
//! | `arch`: PVH entry, memory, cores of the firmware | waits |
//! | makes rings, starts all others at once | `arch`: trampoline, tables, stacks |
//! | seals its arena | takes its ends of the rings, seals its arena |
//! | waits until all have joined or the deadline has passed | [`cpu::Cpu::serve`]: joins, serves, halts |
//! | runs the script or the console, between passes of the hub | |

mod bench;
mod calls;
mod clock;
pub mod cpu;
mod hub;
pub mod platform;
#[cfg_attr(not(feature = "probes"), path = "no_probes.rs")]
mod probes;
mod shell;
mod user_mode;
mod vcore;

use crate::arch::{self, handoff, heap, percpu, smp};
use crate::node::Star;
use crate::options::Options;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
pub use cpu::{Cpu, last_words};
use hub::Hub;
use monitor::{CoreState, Input};
use proto::id::CoreId;
use shell::{Shell, say};

/// What a core keeps over restarts: its ends of the star rings.
pub type Estate = Star;

/// What core 0 and another core hand to each other.
pub use crate::node::Parcel;

/// The life of core 0, from the moment when memory and tables are in place.
pub fn main(mut info: arch::BootInfo) -> ! {
    let cores = smp::count();
    say!(
        "Atoll {}: {cores} core{} and {} MiB of memory",
        env!("CARGO_PKG_VERSION"),
        if cores == 1 { "" } else { "s" },
        info.memory_bytes >> 20
    );
    say!("{}", info.features.identifiers);
    match &info.acpi {
        arch::Acpi::Present => {}
        arch::Acpi::Absent => say!("no ACPI tables: running on one core"),
        arch::Acpi::Unusable(error) => {
            say!("the ACPI tables are not usable ({error:?}): running on one core");
        }
    }
    if info.left_out > 0 {
        say!("{} more cores are left out: no room, or no interrupt leads to them", info.left_out);
    }
    if Options::read(info.cmdline).record && !arch::record::is_there() {
        say!("nothing is recorded: the machine has no device that takes it");
    }
    percpu::install(Cpu::new(CoreId::MANAGEMENT, cores, None));
    let mut hub = heap::with_coordinator_arena(|| Hub::new(&alloc::vec![true; cores], &mut info));
    percpu::enter(|cpu| run(&info, &mut hub, cpu))
}

fn run(info: &arch::BootInfo, hub: &mut Hub, cpu: &mut Cpu) -> ! {
    heap::seal();
    heap::with_coordinator_arena(|| {
        let mut shell = Shell::new(hub, cpu, info);
        shell.start_cores();
        match script(shell.options) {
            Some(script) => shell.run_script(&script),
            None => shell.interact(),
        }
    })
}

/// The script on the command line, decoded.
fn script(options: Options<'_>) -> Option<String> {
    options.script().map(|script| script.to_string())
}

impl Shell<'_> {
    /// Starts all other cores at once and waits until each has joined or been given up.
    fn start_cores(&mut self) {
        for complaint in self.options.complaints() {
            self.announce(format_args!("{complaint}"));
        }
        let others = (1..smp::count()).filter_map(|core| u16::try_from(core).ok());
        let others: Vec<CoreId> = others.map(CoreId).collect();
        for &core in &others {
            self.hub.stars().make(core);
        }
        let before = arch::cpu::now();
        let open = self.bench.regions.begin();
        smp::start(&others);
        self.hub.tell(Input::Tick, &mut self.cpu.node);
        self.hub.wait(self.cpu, None, |hub| hub.all_have_started().then_some(()));
        self.bench.start = Some(open.end());
        let online = self.hub.coordinator().online().len();
        let took = clock::Span(arch::cpu::now() - before);
        self.show_notices();
        self.announce(format_args!("{online} of {} cores online after {took}", others.len() + 1));
    }
}

impl Hub {
    fn all_have_started(&self) -> bool {
        let cores = (0..smp::count()).filter_map(|core| u16::try_from(core).ok()).map(CoreId);
        let state = |core| self.coordinator().core(core).map(|core| core.state);
        cores.map(state).all(|state| state != Some(CoreState::Starting))
    }
}

/// The life of every other core, from the moment when its stack and tables are in place.
pub fn core_main(core: CoreId) -> ! {
    if let Some(unclaimed) = handoff::take() {
        // An earlier life was given it and did not take it. Core 0, which made it, can free it.
        core::mem::forget(handoff::put(unclaimed));
    }
    let star = handoff::claim_estate();
    percpu::install(Cpu::new(core, smp::count(), star));
    heap::seal();
    percpu::enter(|cpu| cpu.serve())
}
