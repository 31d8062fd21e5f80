//! Memory of the coordinator's own that may not be there: who asks for too much is refused.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// A value on the heap; a list of one, because only lists can be asked for without a panic.
pub(crate) type One<T> = Box<[T; 1]>;

/// An empty list with room for `count`, if there is memory for it.
pub(crate) fn list<T>(count: usize) -> Option<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).ok()?;
    Some(list)
}

/// Puts a value on the heap, if there is memory for it.
#[inline]
pub(crate) fn one<T>(value: T) -> Option<One<T>> {
    let mut list = list(1)?;
    list.push(value);
    list.into_boxed_slice().try_into().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_there_is_no_memory_for_is_refused() {
        assert!(super::list::<u64>(usize::MAX / 16).is_none());
        assert_eq!(super::list::<u64>(4).map(|list| list.capacity()), Some(4));
        assert_eq!(super::one(7).as_deref(), Some(&[7]));
    }
}
