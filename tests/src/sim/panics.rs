//! Panics are broken rules like others: what panics in a world is told with the way that led to it.

use super::world::{Violation, violation};
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Where and why this thread panicked, while it may.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does something in a world that is of no more use if that panics.
///
/// # Errors
/// A violation that tells of the panic, or the one that `deed` found.
pub(crate) fn caught<T>(deed: impl FnOnce() -> Result<T, Violation>) -> Result<T, Violation> {
    static HOOK: Once = Once::new();
    HOOK.call_once(note_instead_of_printing);
    LAST.set(Some(String::new()));
    let done = panic::catch_unwind(AssertUnwindSafe(deed));
    let told = LAST.take();
    match done {
        Ok(done) => done,
        Err(_) => violation(format!("no panic: {}", told.unwrap_or_default())),
    }
}

/// Has panics that will be caught noted; all others are printed as before.
fn note_instead_of_printing() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |told| {
        let noted = LAST.with_borrow_mut(|last| {
            last.as_mut().map(|last| *last = told.to_string().replace('\n', " ")).is_some()
        });
        if !noted {
            print(told);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn a_panic_becomes_a_violation_that_tells_why() {
        let told = caught::<()>(|| panic!("for a reason")).expect_err("it panicked");
        assert!(told.rule.contains("for a reason") && told.rule.contains("panics.rs"), "{told}");
        assert!(caught(|| Ok(())).is_ok());
    }
}
