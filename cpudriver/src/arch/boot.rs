//! From the boot protocol to the image, on core 0.
//!
//! The order: memory that a core cannot do without (GS, descriptor tables), the serial line, the start
//! information, the final page tables, the stack with a guard page, the heap.

use super::cpu::{self, Features};
use super::layout::{self, Stack};
use super::paging::{self, Rights, Space};
use super::{percpu, uart};
use crate::image;
use crate::machine::memory::{PAGE, Range, Ranges};
use crate::machine::start_info::{
    self, MAP_ENTRY_BYTES, MODULE_BYTES, START_INFO_BYTES, StartInfo,
};
use core::ptr::NonNull;
use proto::id::CoreId;

core::arch::global_asm!(include_str!("boot.s"), options(att_syntax));

/// What the kernel learns at boot.
#[derive(Debug)]
pub struct BootInfo {
    /// The command line; see `proto::boot`. Cut off where it isn't UTF-8.
    pub cmdline: &'static str,
    /// Bytes of usable memory.
    pub memory_bytes: u64,
    /// The memory that boot has left.
    pub free: Ranges,
    /// What the CPU can do.
    pub features: Features,
}

/// The longest command line; what is beyond is ignored.
const COMMAND_LINE_BYTES: usize = 16 * 1024;

/// What core 0 carries from the boot stack to its own.
#[repr(C)]
struct Stage {
    info: StartInfo,
    usable: Ranges,
    features: Features,
    space: Space,
}

unsafe extern "C" {
    /// Loads the page tables at `root`, moves to the stack that ends at `stack_end` and calls `next`.
    fn atoll_move(
        root: u64,
        stack_end: u64,
        next: extern "C" fn(&mut Stage) -> !,
        stage: &mut Stage,
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
    unsafe { tables.load(0) };
    uart::init();
    let features = cpu::features();
    let info = read_start_info(start_info);
    let (usable, free) = read_memory(start_info, &info);
    // SAFETY: the memory map says so, and the boot tables are in use.
    let mut space = unsafe { paging::build(&usable, free, features.no_execute) };
    map_stacks(&mut space, 0);
    let mut stage = Stage { info, usable, features, space };
    let root = stage.space.root();
    // SAFETY: the tables map the image and the stack; the boot stack, where `stage` is, lies in the image.
    unsafe { atoll_move(root, Stack::Main.of(0).end, on_own_stack, &mut stage) }
}

/// On core 0's own stack, under the final tables.
extern "C" fn on_own_stack(stage: &mut Stage) -> ! {
    // SAFETY: the tables in use are the final ones.
    unsafe { cpu::protect(&stage.features) };
    let cmdline = command_line(stage.info.command_line, &mut stage.space);
    give_heaps(&mut stage.space, stage.usable.bytes());
    image::main(BootInfo {
        cmdline,
        memory_bytes: stage.usable.bytes(),
        free: stage.space.free.clone(),
        features: stage.features,
    })
}

fn read_start_info(address: u64) -> StartInfo {
    let bytes: *const [u8; START_INFO_BYTES] = layout::direct(address).cast_const().cast();
    // SAFETY: the boot protocol puts the structure there, below 4 GiB.
    let info = StartInfo::parse(unsafe { &*bytes });
    info.unwrap_or_else(|error| panic!("the boot information is not usable: {error:?}"))
}

/// The usable memory, and the part of it that is free: not the first MiB (the firmware's, and the
/// trampoline's), not the image, not what the boot protocol hands over.
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
    free.remove(Range { start: 0, end: layout::image().variables.end - layout::IMAGE });
    free.remove(around(start_info, START_INFO_BYTES));
    free.remove(around(info.memory_map, info.memory_map_count as usize * MAP_ENTRY_BYTES));
    free.remove(around(info.command_line, COMMAND_LINE_BYTES));
    free.remove(around(info.modules, info.module_count as usize * MODULE_BYTES));
    for index in 0..u64::from(info.module_count) {
        let place = layout::direct(info.modules + index * MODULE_BYTES as u64);
        // SAFETY: the boot protocol puts this many entries there, below 4 GiB.
        let entry = unsafe { &*place.cast_const().cast::<[u8; MODULE_BYTES]>() };
        if let Some(module) = start_info::module(entry) {
            free.remove(module.pages_around(PAGE));
        }
    }
    (usable, free)
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

/// Maps the stacks of core `index`; the pages between them stay unmapped.
fn map_stacks(space: &mut Space, index: usize) {
    for stack in Stack::ALL {
        let range = stack.of(index);
        let memory = space.take(range.bytes()).expect("there is memory for a stack");
        space.map(range, memory, Rights::ReadWrite);
    }
}

/// Gives core 0 and the coordinator their arenas: each an eighth of the memory, 16 MiB at most.
fn give_heaps(space: &mut Space, memory_bytes: u64) {
    let bytes = (memory_bytes / 8).min(16 << 20);
    let mut take = || {
        let memory = space.take(bytes).expect("there is memory for core 0's heap");
        let start =
            NonNull::new(layout::direct(memory)).expect("the direct map does not begin at 0");
        NonNull::slice_from_raw_parts(start, bytes as usize)
    };
    // SAFETY: this is core 0, and the memory was free.
    unsafe { percpu::this().arena.init(take()) };
    // SAFETY: this is core 0, and the memory was free.
    unsafe { super::heap::init_coordinator(take()) };
}
