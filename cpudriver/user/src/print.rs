//! Printing.

use crate::handle::Handle;
use core::fmt::{self, Write};

/// Gathers text, so that a line is written by one call and nothing comes between its parts.
struct Printer {
    to: Handle,
    text: [u8; 256],
    used: usize,
}

impl Printer {
    /// What cannot be written is lost: there is nobody to tell.
    fn flush(&mut self) {
        let _ = self.to.write_all(&self.text[..self.used]);
        self.used = 0;
    }
}

impl Write for Printer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.as_bytes().chunks(self.text.len()) {
            if piece.len() > self.text.len() - self.used {
                self.flush();
            }
            self.text[self.used..self.used + piece.len()].copy_from_slice(piece);
            self.used += piece.len();
        }
        Ok(())
    }
}

/// Prints to a handle; waits until all of it is written. What cannot be written is lost.
pub fn print_to(to: Handle, text: fmt::Arguments<'_>) {
    let mut printer = Printer { to, text: [0; 256], used: 0 };
    // The printer itself never fails; a value that does not print itself is cut short.
    let _ = printer.write_fmt(text);
    printer.flush();
}

/// Prints to the console.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::print_to($crate::handle::CONSOLE, format_args!($($text)*)) };
}

/// Prints a line to the console.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($text:tt)*) => {
        $crate::print_to($crate::handle::CONSOLE, format_args!("{}\n", format_args!($($text)*)))
    };
}

/// Prints a line of complaint.
#[macro_export]
macro_rules! eprintln {
    ($($text:tt)*) => {
        $crate::print_to($crate::handle::ERRORS, format_args!("{}\n", format_args!($($text)*)))
    };
}
