//! The serial line, COM1: core 0's alone.
//!
//! Writing polls: QEMU takes bytes at once. Receiving raises an interrupt that ends core 0's halt.

use core::fmt;
use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::IER;
use uart_16550::{BaudRate, Config, Uart16550};

const COM1: u16 = 0x3f8;

/// The line of the ISA bus that COM1 interrupts on.
pub(super) const ISA_LINE: u8 = 4;

fn port() -> Uart16550<PioBackend> {
    // SAFETY: these are the ports of COM1 on every PC, and core 0 alone uses them.
    unsafe { Uart16550::new_port(COM1) }.expect("COM1 lies below the last port")
}

/// Sets the line to 115,200 baud, 8N1, with an interrupt for each byte received. A machine without the
/// device runs on, silently.
pub(super) fn init() {
    let config =
        Config { baud_rate: BaudRate::Baud115200, interrupts: IER::DATA_READY, ..Config::DEFAULT };
    let _silent_without = port().init(config);
}

/// Sends text. Line ends are `\n`.
pub fn write(text: &str) {
    port().send_bytes_exact(text.as_bytes());
}

/// Sends bytes as they are.
pub fn write_bytes(bytes: &[u8]) {
    port().send_bytes_exact(bytes);
}

/// The next byte received, if there is one.
#[must_use]
pub fn read() -> Option<u8> {
    port().try_receive_byte().ok()
}

/// Sends what is formatted into it.
#[derive(Clone, Copy, Debug)]
pub struct Writer;

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text);
        Ok(())
    }
}
