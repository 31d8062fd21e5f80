//! Last words and answers to "what are you doing?": text about a core, written by that core.
//!
//! Core 0 writes straight to the serial line. Any other core writes into its own report buffer, which core 0
//! reads after the core has told it so by message, or, when the core no longer sends any, after an NMI
//! has made it raise its [`count`]. A panic stops the core that panicked and no other, unless it is core 0.

use super::percpu::{self, PerCore};
use super::trap::{self, Frame};
use super::{backtrace, cpu, machine, uart};
use crate::image;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use proto::exit;
use proto::id::CoreId;

/// Bytes of a report buffer; a longer report is cut off.
pub const REPORT_BYTES: usize = 8192;

/// A core's report buffer: written by the core, read by core 0. All zero bytes are an empty one.
pub(super) struct Report {
    text: [AtomicU8; REPORT_BYTES],
    /// Bytes of the last complete report.
    length: AtomicU32,
    /// How many reports have been completed.
    count: AtomicU32,
    is_being_written: AtomicBool,
}

impl Report {
    pub(super) const fn new() -> Self {
        Self {
            text: [const { AtomicU8::new(0) }; REPORT_BYTES],
            length: AtomicU32::new(0),
            count: AtomicU32::new(0),
            is_being_written: AtomicBool::new(false),
        }
    }

    /// Replaces the report. Only the owning core may.
    fn replace(&self, fill: impl FnOnce(&mut dyn Write) -> fmt::Result) -> u32 {
        self.is_being_written.store(true, Ordering::Relaxed);
        let mut cursor = Cursor { text: &self.text, length: 0 };
        // The only error there is says that the text was cut off at the end of the buffer.
        let _cut_off = fill(&mut cursor);
        let length = cursor.length;
        self.length.store(length, Ordering::Relaxed);
        self.count.store(self.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        self.is_being_written.store(false, Ordering::Relaxed);
        length
    }
}

struct Cursor<'a> {
    text: &'a [AtomicU8],
    length: u32,
}

impl Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let place = self.text.get(self.length as usize).ok_or(fmt::Error)?;
            place.store(byte, Ordering::Relaxed);
            self.length += 1;
        }
        Ok(())
    }
}

/// Replaces this core's report and returns its length in bytes. A report that doesn't fit is cut off.
pub fn write(fill: impl FnOnce(&mut dyn Write) -> fmt::Result) -> u32 {
    percpu::this().report.replace(fill)
}

/// Writes the calls that led here, a line each.
pub fn backtrace(out: &mut dyn Write) -> fmt::Result {
    let frame = Frame::here();
    backtrace::write(out, frame.rip, frame.rbp)
}

/// How many reports a core has completed (it wraps). A change says that there is a new one to [`read`].
#[must_use]
pub fn count(core: CoreId) -> u32 {
    percpu::of(core).map_or(0, |core| core.report.count.load(Ordering::Acquire))
}

/// Bytes of a core's last report.
#[must_use]
pub fn length(core: CoreId) -> u32 {
    percpu::of(core).map_or(0, |core| core.report.length.load(Ordering::Acquire))
}

/// Copies a core's last report and returns it; empty if there is none. Call it after the core has said
/// that the report is complete, else the text may be a mixture of two.
pub fn read(core: CoreId, buffer: &mut [u8; REPORT_BYTES]) -> &str {
    let Some(report) = percpu::of(core).map(|core| &core.report) else { return "" };
    let length = (report.length.load(Ordering::Acquire) as usize).min(REPORT_BYTES);
    for (to, from) in buffer.iter_mut().zip(&report.text[..length]) {
        *to = from.load(Ordering::Relaxed);
    }
    let text = &buffer[..length];
    match core::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or(""),
    }
}

/// An exception in the kernel: the end of this core.
pub(super) fn exception(frame: &Frame) -> ! {
    fail(|out| {
        writeln!(out, "core {} stopped by exception: {}", percpu::id(), frame.name())?;
        let error = frame.error();
        match frame.vector() {
            trap::PAGE_FAULT => {
                let (how, what) = trap::page_fault(error);
                writeln!(out, "  {how} {:#018x}: {what} (error {error:#x})", cpu::fault_address())?;
            }
            trap::DOUBLE_FAULT if backtrace::is_below_a_stack(cpu::fault_address()) => {
                writeln!(out, "  the stack has overflowed")?;
            }
            _ => writeln!(out, "  error {error:#x}")?,
        }
        write!(out, "{frame}")?;
        backtrace::write(out, frame.rip, frame.rbp)
    })
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let frame = Frame::here();
    fail(|out| {
        write!(out, "core {} panicked", percpu::id())?;
        if let Some(place) = info.location() {
            write!(out, " at {place}")?;
        }
        writeln!(out, ":\n  {}", info.message())?;
        write!(out, "{frame}")?;
        backtrace::write(out, frame.rip, frame.rbp)
    })
}

/// Writes the report that `describe` gives and ends the life of this core. A second failure on the way is
/// not reported: it would be about the reporting.
fn fail(describe: impl FnOnce(&mut dyn Write) -> fmt::Result) -> ! {
    let me = percpu::this();
    let is_second = me.is_failing.load(Ordering::Relaxed);
    me.is_failing.store(true, Ordering::Relaxed);
    match (me.id(), is_second) {
        (CoreId::MANAGEMENT, true) => machine::exit(exit::PANIC),
        (CoreId::MANAGEMENT, false) => {
            // The serial line takes everything.
            let _ = describe(&mut uart::Writer);
            machine::exit(exit::PANIC)
        }
        (_, true) => cpu::park(),
        (_, false) => {
            let length = me.report.replace(describe);
            // SAFETY: this core ends here, so what entered before never runs again.
            unsafe { percpu::enter_at_the_end(|cpu| image::last_words(cpu, length)) };
            cpu::park()
        }
    }
}

/// An NMI: somebody wants to know what this core is doing, and it doesn't answer messages. A core that has
/// failed keeps its last words.
pub(super) fn on_nmi(frame: &Frame) {
    let me: &PerCore = percpu::this();
    let is_busy = me.report.is_being_written.load(Ordering::Relaxed);
    if me.is_failing.load(Ordering::Relaxed) || is_busy {
        return;
    }
    me.report.replace(|out| {
        writeln!(out, "core {} interrupted to report", me.id())?;
        write!(out, "{frame}")?;
        backtrace::write(out, frame.rip, frame.rbp)
    });
}
