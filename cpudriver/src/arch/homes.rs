//! The memory that cores get at boot, taken by core 0: stacks, heaps, what is reached through GS.

use super::layout::{self, Stack};
use super::paging::{Rights, Space};
use super::percpu::{self, PerCore};
use super::{heap, smp};
use crate::machine::madt::CoreList;
use crate::machine::memory::PAGE;
use core::ptr::NonNull;
use proto::id::CoreId;

/// The most that the heap of core 0 gets, and the most that that of the coordinator does, which every process
/// takes some of; each at most an eighth of the memory.
const MANAGEMENT_HEAP_BYTES: u64 = 16 << 20;
const COORDINATOR_HEAP_BYTES: u64 = 512 << 20;
/// The most and the least that the heap of another core gets; all together get at most a quarter.
const MOST_HEAP_BYTES: u64 = 256 << 10;
const LEAST_HEAP_BYTES: u64 = 64 << 10;
/// Memory that is left when cores are, for page tables and what comes after boot.
const RESERVE_BYTES: u64 = 1 << 20;

/// Maps the stacks of core `index`; the pages between them stay unmapped.
pub(super) fn map_stacks(space: &mut Space, index: usize) {
    for stack in Stack::ALL {
        let range = stack.of(index);
        let memory = space.take(range.bytes()).expect("there is memory for a stack");
        space.map(range, memory, Rights::ReadWrite);
    }
}

/// Gives core 0 and the coordinator their heaps.
pub(super) fn give_core_0(space: &mut Space, memory_bytes: u64) {
    let mut take = |most: u64| {
        let bytes = (memory_bytes / 8).min(most);
        take(space, bytes).expect("there is memory for core 0's heaps")
    };
    let own = take(MANAGEMENT_HEAP_BYTES);
    // SAFETY: this is core 0, and the memory was free.
    unsafe { percpu::this().arena.init(own) };
    let coordinator = take(COORDINATOR_HEAP_BYTES);
    // SAFETY: this is core 0, and the memory was free.
    unsafe { heap::init_coordinator(coordinator) };
}

/// Gives the other cores all that they need to start, and leaves those out that there is no memory for.
/// The core `silent` is not to answer.
///
/// # Safety
///
/// Only core 0 may call this, once, before it starts another core.
pub(super) unsafe fn give_others(
    space: &mut Space,
    memory_bytes: u64,
    cores: &mut CoreList,
    silent: Option<CoreId>,
) {
    let heap_bytes = (memory_bytes / 4 / cores.as_slice().len() as u64)
        .clamp(LEAST_HEAP_BYTES, MOST_HEAP_BYTES)
        .next_multiple_of(PAGE);
    let stack_bytes: u64 = Stack::ALL.iter().map(|stack| stack.of(1).bytes()).sum();
    let core_bytes = heap_bytes + stack_bytes + size_of::<PerCore>() as u64;
    let room = space.free.bytes().saturating_sub(RESERVE_BYTES) / core_bytes;
    cores.truncate(usize::try_from(room).unwrap_or(usize::MAX).saturating_add(1));

    let per_core = take(space, ((cores.as_slice().len() - 1) * size_of::<PerCore>()) as u64);
    cores.truncate(if per_core.is_some() { cores.as_slice().len() } else { 1 });
    // Core 0 has its heap and is never started.
    let nothing = NonNull::slice_from_raw_parts(NonNull::dangling(), 0);
    smp::add(cores.as_slice()[0], false, Stack::Main.of(0).end, nothing);
    for index in 1..cores.as_slice().len() {
        let Some(heap) = take(space, heap_bytes) else {
            cores.truncate(index);
            break;
        };
        map_stacks(space, index);
        let is_silent = silent.is_some_and(|core| core.index() == index);
        smp::add(cores.as_slice()[index], is_silent, Stack::Main.of(index).end, heap);
    }
    let others = cores.as_slice().len() - 1;
    let per_core = per_core.map_or(NonNull::dangling(), NonNull::cast::<PerCore>);
    // SAFETY: the memory is long enough, and nobody uses it.
    unsafe { per_core.write_bytes(0, others) };
    // SAFETY: all zero bytes are a valid value, and the memory is never freed.
    let per_core = unsafe { core::slice::from_raw_parts(per_core.as_ptr(), others) };
    // SAFETY: the caller is core 0, alone.
    unsafe { percpu::set_others(per_core) };
}

/// Takes memory of whole pages, where the direct map has it.
fn take(space: &mut Space, bytes: u64) -> Option<NonNull<[u8]>> {
    let memory = space.take(bytes)?;
    let start = NonNull::new(layout::direct(memory)).expect("the direct map does not begin at 0");
    Some(NonNull::slice_from_raw_parts(start, bytes as usize))
}
