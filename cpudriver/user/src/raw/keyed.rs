//! What each thread has of its own.

use super::thread;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::UnsafeCell;

/// The values of a thread, by the addresses of their keys.
#[derive(Default)]
pub(super) struct Values(UnsafeCell<Vec<(usize, Box<dyn Any>)>>);

impl Values {
    /// Empty.
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new(Vec::new()))
    }

    /// Drops them all.
    ///
    /// # Safety
    ///
    /// Only the thread whose values they are, when none is borrowed.
    pub(super) unsafe fn clear(&self) {
        // SAFETY: the caller vouches. What a value puts here while it is dropped is dropped by the next thread that
        // has this place.
        let values = core::mem::take(unsafe { &mut *self.0.get() });
        drop(values);
    }

    /// The value of a key.
    ///
    /// # Safety
    ///
    /// Only the thread whose values they are.
    unsafe fn get(&self, key: usize) -> Option<&dyn Any> {
        // SAFETY: the caller vouches; a reference to the list ends before anything is put there.
        let values = unsafe { &*self.0.get() };
        let value: *const dyn Any = &*values.iter().find(|(of, _)| *of == key)?.1;
        // SAFETY: the box stays until the thread ends, also when the list grows.
        Some(unsafe { &*value })
    }

    /// Puts a value there.
    ///
    /// # Safety
    ///
    /// Only the thread whose values they are.
    unsafe fn put(&self, key: usize, value: Box<dyn Any>) {
        // SAFETY: the caller vouches; no reference to the list is alive.
        unsafe { &mut *self.0.get() }.push((key, value));
    }
}

/// A value that each thread has one of, made when the thread first asks, and dropped when it ends.
///
/// ```no_run
/// use core::cell::Cell;
/// use user::threads::ThreadLocal;
///
/// static ROUNDS: ThreadLocal<Cell<u32>> = ThreadLocal::new(|| Cell::new(0));
///
/// ROUNDS.with(|rounds| rounds.set(rounds.get() + 1));
/// ```
#[derive(Debug)]
pub struct ThreadLocal<T: 'static> {
    make: fn() -> T,
}

impl<T: 'static> ThreadLocal<T> {
    /// A key for values that `make` makes.
    #[must_use]
    pub const fn new(make: fn() -> T) -> Self {
        Self { make }
    }

    /// Does something with this thread's value.
    ///
    /// # Panics
    ///
    /// In a process that has not [started](crate::threads::start) threads.
    pub fn with<R>(&'static self, use_it: impl FnOnce(&T) -> R) -> R {
        let thread = thread::current().expect("this is for threads");
        let key = core::ptr::from_ref(self).addr();
        let values = thread.values();
        // SAFETY: this is the thread itself.
        if unsafe { values.get(key) }.is_none() {
            let value = Box::new((self.make)());
            // SAFETY: as above.
            unsafe { values.put(key, value) };
        }
        // SAFETY: as above.
        let value = unsafe { values.get(key) }.and_then(|value| value.downcast_ref());
        use_it(value.expect("it was put there, and keys have one type"))
    }
}
