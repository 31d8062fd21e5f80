//! What the kernel tells in pages that can be read, without a call.

use crate::process::Pid;
use crate::raw::page::{self, GLOBAL, INFO};
use core::sync::atomic::{Ordering, fence};
use proto::program::{global, info};

/// Ticks of the time stamp counter in a second.
#[must_use]
pub fn tsc_hz() -> u64 {
    page::constant(GLOBAL, global::TSC_HZ)
}

/// Cores of the machine, the management core included.
#[must_use]
pub fn cores() -> u32 {
    GLOBAL.u32(global::CORES).load(Ordering::Relaxed)
}

/// Ticks that reading the time stamp counter twice in a row takes, at least.
#[must_use]
pub fn tsc_overhead() -> u32 {
    GLOBAL.u32(global::TSC_OVERHEAD).load(Ordering::Relaxed)
}

/// What the machine offers to programs: bits of [`feature`](global::feature).
#[must_use]
pub fn features() -> u32 {
    GLOBAL.u32(global::FEATURES).load(Ordering::Relaxed)
}

/// Parts of the extended state that are kept, see [`global::XCR0`].
#[must_use]
pub fn xcr0() -> u64 {
    page::constant(GLOBAL, global::XCR0)
}

/// The parent, if this process has one and it lives.
#[must_use]
pub fn parent() -> Option<Pid> {
    Some(INFO.u16(info::PARENT).load(Ordering::Relaxed)).filter(|pid| *pid != 0).map(Pid)
}

/// Vcores that the process may have at most.
#[must_use]
pub fn max_vcores() -> u16 {
    INFO.u16(info::MAX_VCORES).load(Ordering::Relaxed)
}

/// Vcores that have a core; 0 in a single-core process.
#[must_use]
pub fn vcores() -> u16 {
    INFO.u16(info::VCORES).load(Ordering::Relaxed)
}

/// Is it a many-core process?
#[must_use]
pub fn is_many() -> bool {
    INFO.u8(info::IS_MANY).load(Ordering::Relaxed) != 0
}

/// The address after the last segment of the program.
#[must_use]
pub fn program_end() -> u64 {
    page::constant(INFO, info::PROGRAM_END)
}

/// The generation of this process, which no other ever has.
#[must_use]
pub fn generation() -> u32 {
    INFO.u32(info::GENERATION).load(Ordering::Relaxed)
}

/// Where a vcore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its core, or the one that it had last.
    pub core: u16,
    /// Does it have that core?
    pub is_there: bool,
    /// When the core will be taken, in ticks; 0 if nobody has said so.
    pub deadline: u64,
    /// Since when it has the core, in ticks.
    pub since: u64,
    /// Ticks that it had a core in earlier stays.
    pub ticks: u64,
}

/// Where a vcore of this many-core process is, all of it from one moment.
#[must_use]
pub fn place(vcore: u16) -> Place {
    let at = info::VCORES_MAP + usize::from(vcore) * info::VCORE_BYTES;
    loop {
        let before = INFO.u32(info::SEQUENCE).load(Ordering::Acquire);
        let place = Place {
            core: INFO.u16(at + info::vcore::CORE).load(Ordering::Relaxed),
            is_there: INFO.u8(at + info::vcore::VALID).load(Ordering::Relaxed) != 0,
            deadline: INFO.u64(at + info::vcore::DEADLINE).load(Ordering::Relaxed),
            since: INFO.u64(at + info::vcore::SINCE).load(Ordering::Relaxed),
            ticks: INFO.u64(at + info::vcore::TICKS).load(Ordering::Relaxed),
        };
        // The fields have been read when the sequence is read again.
        fence(Ordering::Acquire);
        let after = INFO.u32(info::SEQUENCE).load(Ordering::Relaxed);
        if before == after && before.is_multiple_of(2) {
            return place;
        }
        core::hint::spin_loop();
    }
}
