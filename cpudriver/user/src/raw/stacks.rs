//! Stacks of threads and of vcores. They stand side by side in one region of memory, each with a guard below it, so that
//! one that overflows is a fault and not another's silent loss. None is ever given back.

use super::lock::Lock;
#[cfg(atoll)]
use super::{memory, notify};
#[cfg(atoll)]
use crate::memory::{FIXED, Rights, guard_every};
#[cfg(atoll)]
use crate::threads::{self, sync::Mutex};
use core::ops::Range;
#[cfg(atoll)]
use core::ptr::NonNull;
#[cfg(atoll)]
use core::sync::atomic::{AtomicUsize, Ordering};

const PAGE: usize = 4096;
/// Bytes from one stack to the next, the guard included.
const EACH: usize = 32 << 10;
/// Bytes of a stack.
pub(super) const BYTES: usize = EACH - PAGE;
/// So many are asked for at a time. A page takes memory when it is used first.
const AT_A_TIME: usize = 16;

static FREE: Lock<Free> = Lock::new(Free(0..0));

/// Stacks that nobody has used, by their addresses.
#[derive(Debug)]
struct Free(Range<usize>);

impl Free {
    /// The end of one of them.
    const fn take(&mut self) -> Option<usize> {
        if self.0.start == self.0.end {
            return None;
        }
        self.0.start += EACH;
        Some(self.0.start)
    }

    /// Takes new ones in, behind those that there are; false if that cannot be.
    const fn add(&mut self, new: &Range<usize>) -> bool {
        if self.0.start == self.0.end {
            self.0.start = new.start;
        } else if self.0.end != new.start {
            return false;
        }
        self.0.end = new.end;
        true
    }
}

/// The end of a new stack of [`BYTES`].
pub(super) fn take() -> usize {
    FREE.with(Free::take).unwrap_or_else(wait_and_take)
}

#[cold]
#[inline(never)]
fn wait_and_take() -> usize {
    #[cfg(atoll)]
    let _growing = (threads::are_on() && !notify::are_off()).then(|| GROWING.lock());
    loop {
        // Somebody else may have been faster.
        if let Some(end) = FREE.with(Free::take) {
            return end;
        }
        reserve(AT_A_TIME);
    }
}

/// Sees that so many are there that nobody has used.
pub(super) fn prepare(count: usize) {
    let there = FREE.with(|free| free.0.len() / EACH);
    if there < count {
        reserve(count - there);
    }
}

/// Asks for so many new ones.
fn reserve(count: usize) {
    let Some(new) = map(count) else {
        alloc::alloc::handle_alloc_error(core::alloc::Layout::new::<[u8; BYTES]>())
    };
    if !FREE.with(|free| free.add(&new)) {
        unmap(&new);
    }
}

/// The pages of the stack that ends there, and those of the guard below it.
pub(super) const fn around(end: usize) -> (Range<u64>, Range<u64>) {
    let (end, start) = (end as u64, (end - BYTES) as u64);
    (start..end, start - PAGE as u64..start)
}

/// Held by the thread that asks the kernel for more.
#[cfg(atoll)]
static GROWING: Mutex<()> = Mutex::new(());

/// Where the next ones go if nothing is there: behind those that there are, so that all are one region, and at first
/// where nothing comes to lie by itself until a process has half a gigabyte.
#[cfg(atoll)]
static NEXT: AtomicUsize =
    AtomicUsize::new(proto::memory::MAP_AREA.first as usize * PAGE + (512 << 20));

/// New stacks.
#[cfg(atoll)]
fn map(count: usize) -> Option<Range<usize>> {
    let bytes = count.checked_mul(EACH)?;
    let flags = const { guard_every((EACH / PAGE) as u32) };
    let wanted = NEXT.load(Ordering::Relaxed);
    // SAFETY: the kernel puts nothing where something is.
    let beside = unsafe { memory::map_at(wanted as u64, bytes, Rights::READ_WRITE, flags | FIXED) };
    let new = match beside {
        Ok(_) => wanted..wanted + bytes,
        Err(_) => {
            let anywhere = memory::map(bytes + EACH, Rights::READ_WRITE, flags).ok()?;
            let start = anywhere.cast::<u8>().as_ptr().expose_provenance();
            let start = start.next_multiple_of(EACH);
            start..start + bytes
        }
    };
    NEXT.store(new.end, Ordering::Relaxed);
    Some(new)
}

/// On the host nobody guards them.
#[cfg(not(atoll))]
fn map(count: usize) -> Option<Range<usize>> {
    #[derive(Clone)]
    #[repr(align(32768))]
    struct Each(#[expect(dead_code, reason = "it is reached through its address")] [u8; EACH]);
    let new = alloc::vec![Each([0; EACH]); count].leak().as_mut_ptr_range();
    Some(new.start.expose_provenance()..new.end.expose_provenance())
}

/// Gives stacks back that nobody has used, because somebody else was faster.
#[cfg(atoll)]
fn unmap(new: &Range<usize>) {
    let start = core::ptr::with_exposed_provenance_mut(new.start);
    if let Some(start) = NonNull::new(start) {
        // SAFETY: nobody knows of them. If the kernel refuses they stay.
        let _ = unsafe { memory::unmap(NonNull::slice_from_raw_parts(start, new.len())) };
    }
}

#[cfg(not(atoll))]
const fn unmap(_new: &Range<usize>) {}

#[cfg(test)]
mod tests {
    use super::{EACH, Free, around};

    #[test]
    fn stacks_are_handed_out_once_and_follow_each_other() {
        let mut free = Free(0..0);
        assert_eq!(free.take(), None);
        assert!(free.add(&(EACH..3 * EACH)));
        assert_eq!(free.take(), Some(2 * EACH));
        assert!(free.add(&(3 * EACH..4 * EACH)), "those behind it");
        assert!(!free.add(&(9 * EACH..10 * EACH)), "and no others while there are some");
        assert_eq!([free.take(), free.take(), free.take()], [Some(3 * EACH), Some(4 * EACH), None]);
        assert!(free.add(&(9 * EACH..10 * EACH)));
        assert_eq!(free.take(), Some(10 * EACH));
    }

    #[test]
    fn a_guard_lies_below_each_stack_and_nothing_between_two() {
        let (stack, guard) = around(5 * EACH);
        assert_eq!((stack.end, guard.end), (5 * EACH as u64, stack.start));
        assert_eq!(guard.start, 4 * EACH as u64);
        assert_eq!(guard.end - guard.start, 4096);
    }
}
