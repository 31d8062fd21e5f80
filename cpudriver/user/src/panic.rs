//! What happens when a program panics.

use crate::{eprintln, exit, process};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use proto::exit::PANIC;

/// Whether a panic is being reported.
static IS_PANICKING: AtomicBool = AtomicBool::new(false);

/// Tells why, unless telling why is what panicked, and ends the process.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if !IS_PANICKING.swap(true, Ordering::Relaxed) {
        let name = crate::args().next().unwrap_or("?");
        eprintln!("{name} ({}) panicked: {}", process::id(), info.message());
        if let Some(place) = info.location() {
            eprintln!("    at {place}");
        }
    }
    exit(PANIC.into())
}
