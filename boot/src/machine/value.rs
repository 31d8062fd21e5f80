//! What a user may type for a part of the machine; each checks itself when parsed.

use proto::boot::COMMAND_LINE_BYTES;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The machines that the kernel boots on.
const BOARDS: [&str; 3] = ["microvm", "q35", "pc"];
/// Under TCG, QEMU has no more: ids of cores have 8 bits.
const MAX_CORES: u32 = 255;
/// In less, QEMU's firmware and the image overwrite each other, and the machine hangs without a word.
const MIN_MEBIBYTES: u64 = 16;

/// QEMU's machine and its options, as in `microvm,acpi=off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board(String);

impl Board {
    /// The name without options.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split(',').next().unwrap_or_default()
    }

    /// The most bytes of a kernel's command line. Microvm hands the kernel what it is given; on the others a part of
    /// QEMU's firmware copies it to a page of its own, and overwrites what lies behind when it is longer.
    #[must_use]
    pub fn longest_command_line(&self) -> usize {
        let with_zero = if self.name() == BOARDS[0] { COMMAND_LINE_BYTES } else { 4096 };
        with_zero - 1
    }
}

impl Default for Board {
    fn default() -> Self {
        Self(BOARDS[0].into())
    }
}

impl FromStr for Board {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let board = Self(text.into());
        if BOARDS.contains(&board.name()) {
            return Ok(board);
        }
        Err(format!("one of {}, with QEMU's options after a comma", BOARDS.join(", ")))
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The cores of the machine: a number, or sockets, cores and threads as QEMU's `-smp` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    text: String,
    cores: u32,
}

impl Topology {
    /// That many cores in one socket.
    #[must_use]
    pub fn flat(cores: u16) -> Self {
        Self { text: cores.to_string(), cores: cores.into() }
    }

    /// How many cores the kernel sees; hardware threads count as cores.
    #[must_use]
    pub fn cores(&self) -> u32 {
        self.cores
    }
}

impl Default for Topology {
    fn default() -> Self {
        Self::flat(4)
    }
}

impl FromStr for Topology {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut product, mut total) = (1_u32, None);
        for part in text.split(',') {
            let (name, number) = part.split_once('=').unwrap_or(("cpus", part));
            let number: u32 = number.parse().map_err(|_| format!("`{part}` has no number"))?;
            match name {
                "cpus" => total = Some(number),
                "sockets" | "dies" | "clusters" | "cores" | "threads" => {
                    product = product.saturating_mul(number);
                }
                "maxcpus" => {}
                _ => return Err(format!("`{name}`: one of cpus, sockets, dies, cores, threads")),
            }
        }
        let cores = total.unwrap_or(product);
        if !(1..=MAX_CORES).contains(&cores) {
            return Err(format!("{cores} cores: it must be 1 to {MAX_CORES}"));
        }
        Ok(Self { text: text.into(), cores })
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An amount of memory in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(u64);

impl Memory {
    /// That many MiB.
    #[must_use]
    pub fn from_mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes)
    }

    /// Enough for that many cores.
    #[must_use]
    pub fn for_cores(cores: u32) -> Self {
        Self(if cores <= 64 { 128 } else { 256 })
    }

    /// The amount in MiB.
    #[must_use]
    pub fn mebibytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let factor = match unit.to_ascii_uppercase().as_str() {
            "" | "M" | "MB" | "MIB" => Some(1),
            "G" | "GB" | "GIB" => Some(1024),
            _ => None,
        };
        let number = text[..text.len() - unit.len()].parse::<u64>().ok();
        let amount = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
        let amount = amount.ok_or("a size as in 128M or 2G (MiB without a unit)")?;
        if amount < MIN_MEBIBYTES {
            return Err(format!("it must be {MIN_MEBIBYTES}M at least"));
        }
        Ok(Self(amount))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0)
    }
}

/// Where QEMU waits for a debugger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Debugger {
    /// A TCP port of this host.
    Port(u16),
    /// A socket in the file system.
    Socket(PathBuf),
}

impl Debugger {
    /// The value of QEMU's `-gdb`.
    #[must_use]
    pub fn qemu(&self) -> String {
        match self {
            Self::Port(port) => format!("tcp:127.0.0.1:{port}"),
            // A comma in a value is doubled in QEMU's option syntax.
            Self::Socket(path) => {
                let path = path.to_string_lossy().replace(',', ",,");
                format!("unix:{path},server=on,wait=off")
            }
        }
    }

    /// What `target remote` of gdb takes.
    #[must_use]
    pub fn gdb(&self) -> String {
        match self {
            Self::Port(port) => format!("127.0.0.1:{port}"),
            Self::Socket(path) => path.display().to_string(),
        }
    }
}

impl FromStr for Debugger {
    type Err = String;

    /// A number is a port, `auto` a socket of its own in the temporary directory, all else a path.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            let name = format!("atoll-gdb-{}.socket", std::process::id());
            return Ok(Self::Socket(std::env::temp_dir().join(name)));
        }
        if text.is_empty() || text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Self::Port).map_err(|_| "a port is 1 to 65535".into());
        }
        Ok(Self::Socket(text.into()))
    }
}
