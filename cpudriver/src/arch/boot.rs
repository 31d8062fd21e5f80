//! From the boot protocol to the image, on core 0.
//!
//! The order: memory that a core cannot do without (GS, descriptor tables), the serial line, the start
//! information, the final page tables, the stack with a guard page, the heap, the interrupt controllers,
//! the clocks, the memory of the other cores, and the code that they start in.

use super::acpi::{self, Topology};
use super::cpu::{self, Features};
use super::layout::{self, IMAGE_START, Stack};
use super::once::BootOnce;
use super::paging::{self, Space};
use super::space::FreeMemory;
use super::{apic, homes, io_apic, percpu, smp, time, trampoline, uart, user};
use crate::image;
use crate::machine::madt::CoreList;
use crate::machine::memory::{PAGE, Range, Ranges};
use crate::machine::start_info::{
    self, MAP_ENTRY_BYTES, MODULE_BYTES, START_INFO_BYTES, StartInfo,
};
pub use ::acpi::AcpiError;
use core::ffi::c_void;
use proto::boot::{COMMAND_LINE_BYTES, key};
use proto::id::{ApicId, CoreId};

core::arch::global_asm!(include_str!("boot.s"), options(att_syntax));

/// What the kernel learns at boot.
#[derive(Debug)]
pub struct BootInfo {
    /// The command line; see `proto::boot`. Cut off where it isn't UTF-8.
    pub cmdline: &'static str,
    /// The cores, by their number: core 0 is the one that this runs on, the others wait to be
    /// [started](super::smp::start).
    pub cores: &'static [ApicId],
    /// How many more cores there are, for which there is no room or to which no interrupt leads.
    pub left_out: usize,
    /// Whether there is ACPI; without it there is one core.
    pub acpi: Acpi,
    /// Bytes of usable memory.
    pub memory_bytes: u64,
    /// The memory that boot has left.
    pub free: FreeMemory,
    /// The first module of the boot protocol; see `proto::archive`. Empty if there is none.
    pub archive: &'static [u8],
    /// What the CPU can do.
    pub features: Features,
}

/// What is known of ACPI.
#[derive(Debug)]
pub enum Acpi {
    /// The cores are those that it lists.
    Present,
    /// The firmware offers none.
    Absent,
    /// It lists no cores that can be made sense of.
    Unusable(AcpiError),
}

static CORES: BootOnce<CoreList> = BootOnce::new();

/// What core 0 carries from the boot stack to its own.
struct Stage {
    info: StartInfo,
    usable: Ranges,
    /// Where the first module lies.
    module: Range,
    features: Features,
    space: Space,
    /// The page that other cores start in.
    start_page: u64,
}

unsafe extern "C" {
    /// Loads the page tables at `root`, moves to the stack that ends at `stack_end` and calls `next`.
    fn atoll_move(
        root: u64,
        stack_end: u64,
        next: extern "C" fn(*mut c_void) -> !,
        stage: *mut c_void,
    ) -> !;
}

/// The first Rust, called by `boot.s` on the boot stack with the start information's address.
#[unsafe(no_mangle)]
extern "C" fn atoll_boot(start_info: u64) -> ! {
    // SAFETY: nothing has run before this.
    let me = unsafe { percpu::become_core(CoreId::MANAGEMENT) }
        .expect("core 0's memory is in the image");
    // SAFETY: this core alone uses its tables, which are static.
    let tables = unsafe { &mut *me.tables.get() };
    // SAFETY: they stay where they are. The interrupt stacks are mapped a moment later.
    unsafe { tables.load(0, me.user_end()) };
    uart::init();
    let features = cpu::features();
    let info = read_start_info(start_info);
    let (usable, mut free) = read_memory(start_info, &info);
    let start_page = take_start_page(&mut free);
    let module = modules(&info).next().unwrap_or_default();
    // SAFETY: the memory map says so, and the boot tables are in use.
    let mut space = unsafe { paging::build(&usable, free, module, features.no_execute) };
    homes::map_stacks(&mut space, 0);
    let mut stage = Stage { info, usable, module, features, space, start_page };
    let root = stage.space.root();
    // SAFETY: the tables map the image and the stack; the boot stack, where `stage` is, lies in the image.
    unsafe { atoll_move(root, Stack::Main.of(0).end, on_own_stack, (&raw mut stage).cast()) }
}

/// On core 0's own stack, under the final tables.
extern "C" fn on_own_stack(stage: *mut c_void) -> ! {
    // SAFETY: `atoll_boot` hands its own on, and does not come back to it.
    let stage = unsafe { &mut *stage.cast::<Stage>() };
    let Stage { info, usable, module, features, space, start_page } = stage;
    // SAFETY: the tables in use are the final ones.
    unsafe { cpu::protect(features) };
    // SAFETY: the final tables map the stacks, and core 0 runs on its main one.
    unsafe { percpu::mark_stacks() };
    // SAFETY: this is core 0, alone, and its tables are loaded.
    unsafe { user::set_up(features, space.root()) };
    user::init();
    let cmdline = command_line(info.command_line, space);
    homes::give_core_0(space, usable.bytes());
    let registers = apic::registers(features).map(|physical| space.map_device(physical));
    // SAFETY: this is core 0, alone, and the registers are mapped.
    unsafe { apic::choose(registers) };
    apic::init();
    let (topology, acpi) = read_topology(info.acpi_root, space);
    io_apic::route_serial(&topology, apic::id(), space);
    // SAFETY: this is core 0, alone.
    unsafe { time::calibrate(features) };
    // SAFETY: this is core 0, alone.
    unsafe { time::read_wall_clock() };
    let silent = proto::boot::value(cmdline, key::SILENT_CORE).and_then(|id| id.parse().ok());
    let mut cores = topology.cores;
    // SAFETY: this is core 0, alone.
    unsafe { homes::give_others(space, usable.bytes(), &mut cores, silent.map(CoreId)) };
    // SAFETY: this is core 0, alone, and the page is free memory.
    unsafe { prepare_start(space, *start_page, *features) };
    let left_out = cores.left_out();
    // SAFETY: this is core 0, alone.
    let cores = unsafe { CORES.set(cores) }.as_slice();
    let free = FreeMemory(core::mem::take(&mut space.free));
    let memory_bytes = usable.bytes();
    image::main(BootInfo {
        cmdline,
        cores,
        left_out,
        acpi,
        memory_bytes,
        free,
        archive: archive(*module),
        features: *features,
    })
}

fn read_topology(root: u64, space: &mut Space) -> (Topology, Acpi) {
    let unknown = || Topology::unknown(apic::id(), uart::ISA_LINE);
    if root == 0 {
        return (unknown(), Acpi::Absent);
    }
    match acpi::read(root, space, apic::id(), uart::ISA_LINE) {
        Ok(topology) => (topology, Acpi::Present),
        Err(error) => (unknown(), Acpi::Unusable(error)),
    }
}

/// Makes the way for other cores: the trampoline, and tables that map its page where it is.
///
/// # Safety
///
/// Only core 0 may call this, before it starts another core; the page must be free memory below 1 MiB.
unsafe fn prepare_start(space: &mut Space, page: u64, features: Features) {
    let root = space.root_with_identity(page);
    // SAFETY: the caller vouches for the page, and no core is starting.
    unsafe { trampoline::install(page, root, space.root(), features.no_execute) };
    space.make_read_only(page);
    let page = u8::try_from(page / PAGE).expect("the page is below 1 MiB");
    // SAFETY: the caller is core 0, alone.
    unsafe { smp::set_up(features, page) };
}

fn read_start_info(address: u64) -> StartInfo {
    let bytes: *const [u8; START_INFO_BYTES] = layout::direct(address).cast_const().cast();
    // SAFETY: the boot protocol puts the structure there, below 4 GiB.
    let info = StartInfo::parse(unsafe { &*bytes });
    info.unwrap_or_else(|error| panic!("the boot information is not usable: {error:?}"))
}

/// Takes a page below 1 MiB for the code that other cores start in, and gives the rest of that memory up:
/// firmware is known to write where it says that it doesn't.
fn take_start_page(free: &mut Ranges) -> u64 {
    const FIRMWARE: Range = Range { start: 0, end: 0x8000 };
    const LOW: Range = Range { start: 0, end: 0x10_0000 };
    free.remove(FIRMWARE);
    let page = free.take(PAGE, PAGE).filter(|page| LOW.end > *page);
    free.remove(LOW);
    page.expect("there is a free page below 1 MiB")
}

/// The usable memory, and the part of it that is free: neither the image nor what the boot protocol hands
/// over.
fn read_memory(start_info: u64, info: &StartInfo) -> (Ranges, Ranges) {
    let mut usable = Ranges::default();
    for index in 0..u64::from(info.memory_map_count) {
        let place = layout::direct(info.memory_map + index * MAP_ENTRY_BYTES as u64);
        // SAFETY: the boot protocol puts this many entries there, below 4 GiB.
        let entry = unsafe { &*place.cast_const().cast::<[u8; MAP_ENTRY_BYTES]>() };
        if let Some(range) = start_info::usable(entry) {
            usable.add(range);
        }
    }
    let mut free = usable.clone();
    let around =
        |start: u64, bytes: usize| Range { start, end: start + bytes as u64 }.pages_around(PAGE);
    free.remove(Range { start: IMAGE_START, end: layout::image().variables.end - layout::IMAGE });
    free.remove(around(start_info, START_INFO_BYTES));
    free.remove(around(info.memory_map, info.memory_map_count as usize * MAP_ENTRY_BYTES));
    free.remove(around(info.command_line, COMMAND_LINE_BYTES));
    free.remove(around(info.modules, info.module_count as usize * MODULE_BYTES));
    for module in modules(info) {
        free.remove(module.pages_around(PAGE));
    }
    (usable, free)
}

/// Where the modules lie.
fn modules(info: &StartInfo) -> impl Iterator<Item = Range> {
    let start = info.modules;
    (0..u64::from(info.module_count)).filter_map(move |index| {
        let place = layout::direct(start + index * MODULE_BYTES as u64);
        // SAFETY: the boot protocol puts this many entries there, below 4 GiB.
        start_info::module(unsafe { &*place.cast_const().cast::<[u8; MODULE_BYTES]>() })
    })
}

/// The bytes of a module, which stays where the boot protocol has put it.
fn archive(module: Range) -> &'static [u8] {
    if module.bytes() == 0 {
        return &[];
    }
    let start = layout::direct(module.start).cast_const();
    // SAFETY: it is mapped, for reading only, and no part of it is free memory.
    unsafe { core::slice::from_raw_parts(start, module.bytes() as usize) }
}

/// The command line, which stays where the boot protocol has put it.
fn command_line(address: u64, space: &mut Space) -> &'static str {
    if address == 0 {
        return "";
    }
    space.map_firmware(address, COMMAND_LINE_BYTES as u64);
    let text = layout::direct(address).cast_const();
    // SAFETY: it is mapped, and no part of it is free memory.
    let bytes = unsafe { core::slice::from_raw_parts(text, COMMAND_LINE_BYTES) };
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or(&[]);
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
    }
}
