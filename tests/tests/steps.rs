//! What steps of the coordinator allocate: nothing, unless something begins or ends to exist.

use cpudriver::steps::{Class, Meter, OPERATIONS, Size, Stage};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocations and frees of this thread.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller vouches for the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller vouches for both.
        unsafe { System.dealloc(place, layout) }
    }
}

/// How often the measured steps allocated or freed.
#[derive(Default)]
struct Allocations(Vec<usize>);

impl Meter for Allocations {
    fn measure(&mut self, step: impl FnOnce()) {
        let before = COUNT.get();
        step();
        self.0.push(COUNT.get() - before);
    }
}

/// The operations of a class that allocated or freed, and how many were measured.
fn allocating(class: Class, size: Size) -> (Vec<&'static str>, usize) {
    let mut meter = Allocations::default();
    let mut stage = Stage::new(size, &mut meter);
    let (mut found, mut measured) = (Vec::new(), 0);
    for operation in OPERATIONS.iter().filter(|it| it.class == class) {
        stage.play(operation, 2);
        let steps = std::mem::take(&mut stage.meter().0);
        measured += usize::from(!steps.is_empty());
        if steps.iter().any(|&count| count > 0) {
            found.push(operation.name);
        }
    }
    (found, measured)
}

const SMALL: Size = Size { processes: 10, cores: 8 };
const LARGE: Size = Size { processes: 100, cores: 255 };

#[test]
fn no_step_that_answers_a_message_allocates() {
    for size in [SMALL, LARGE] {
        let of_class = OPERATIONS.iter().filter(|it| it.class == Class::Message).count();
        assert_eq!(allocating(Class::Message, size), (vec![], of_class), "{size:?}");
    }
}

#[test]
fn no_step_that_goes_through_a_list_allocates() {
    let of_class = OPERATIONS.iter().filter(|it| it.class == Class::Slice).count();
    assert_eq!(allocating(Class::Slice, LARGE), (vec![], of_class));
}

#[test]
fn what_begins_and_what_ends_allocates_and_frees() {
    // Not the step in which the last core of a process becomes free: its memory is given back in another one.
    let those = ["spawn", "wait-reaps", "open-pipe", "close", "kill-continued"];
    for size in [SMALL, LARGE] {
        let (found, _) = allocating(Class::Lifetime, size);
        assert_eq!(found, those);
    }
}
