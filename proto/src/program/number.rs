//! The calls, and their arguments in order. "At once" means that RAX is never
//! [`STARTED`](super::STARTED). Numbers are only ever added; one that is not here is ENOSYS.
//!
//! Flags are those of [`call`](crate::call) and [`memory`](crate::memory); moments and spans are ticks of the time stamp
//! counter.

/// Nothing; at once.
pub const NULL: u32 = 0;
/// End the process with this code (i32); at once, and it does not return.
pub const EXIT: u32 = 1;
/// Give the core away, with flags: [`NICE`](crate::call::NICE) until it is this process's turn again, 0
/// until an event comes; at once. EAGAIN when one has come.
pub const YIELD: u32 = 2;
/// Write: handle, address, bytes, flags ([`NO_HANG`](crate::call::NO_HANG)). The outcome is how many bytes were taken.
pub const WRITE: u32 = 3;
/// Make a child: address and bytes of the program's name, address and bytes of its arguments, each of
/// which ends with a zero byte (the first is by custom the name; without any the child gets the parent's), flags
/// ([`ALL_HANDLES`](crate::call::ALL_HANDLES)). The outcome is its pid; it waits for [`RUN`].
pub const CREATE: u32 = 4;
/// Let a child run: pid.
pub const RUN: u32 = 5;
/// End a process: pid, exit code.
pub const DESTROY: u32 = 6;
/// Wait for the end of a child: pid (0: any), flags ([`NO_HANG`](crate::call::NO_HANG)). The outcome is its
/// pid, the value its exit code.
pub const WAIT: u32 = 7;
/// Post an event to a process: pid, kind, value. EAGAIN when there is no room for it.
pub const NOTIFY: u32 = 8;
/// Post an event to a vcore of the own process: vcore, kind, value. EAGAIN when there is no room for it.
pub const NOTIFY_SELF: u32 = 9;
/// The number of the core that this runs on; at once.
pub const CORE: u32 = 10;
/// The number of the vcore that this runs on, 0 in a single-core process; at once.
pub const VCORE: u32 = 11;
/// The own pid; at once.
pub const PID: u32 = 12;
/// Be told when time has passed: ticks. When it is cut short, the value is what was left.
pub const SLEEP: u32 = 13;
/// Read: handle, address, bytes, flags ([`NO_HANG`](crate::call::NO_HANG)). The outcome is how many bytes; 0 at the end.
pub const READ: u32 = 14;
/// Close a handle.
pub const CLOSE: u32 = 15;
/// Make a pipe: flags ([`CLOSE_ON_CREATE`](crate::call::CLOSE_ON_CREATE)). The outcome is the handle to read from,
/// the value the one to write to.
pub const PIPE: u32 = 16;
/// Say whether children get a copy of a handle: handle, flags ([`CLOSE_ON_CREATE`](crate::call::CLOSE_ON_CREATE)).
pub const SET_HANDLE: u32 = 17;
/// Copy handles to a child that has not run: pid, and two words with up to 8 pairs of bytes, each pair the own handle
/// and the child's, from the lowest byte up; 0xffff ends them. The outcome is how many.
pub const DUP_HANDLES: u32 = 18;
/// Ask for the event [`ALARM`](crate::event::kind::ALARM): number of the alarm, moment (0: not any more), period (0:
/// once).
pub const ALARM: u32 = 19;
/// Wait until more events have come than the caller knows of: the value of its last such call, 0 at first.
pub const AWAIT_EVENT: u32 = 20;
/// Cut a call short that waits: address of its structure. The outcome is 1 if there was one.
pub const ABORT: u32 = 21;
/// Cut all calls short that wait on a handle: handle. The outcome is how many.
pub const ABORT_HANDLE: u32 = 22;
/// Set the user of a process: pid, address and bytes of the name.
pub const SET_USER: u32 = 23;
/// List processes: address and bytes of room, pid from which on. Each takes [`PROCESS_BYTES`]; the outcome is how
/// many were written, the value the pid to go on from, 0 when there are no more.
pub const PROCESSES: u32 = 24;
/// Give a process the right to a core out of the own share: pid (0: nobody), core.
pub const PROVISION: u32 = 25;
/// Become a many-core process: there is no way back. The thread that asks becomes the first thread of the
/// scheduler: it lies in [`data::THREAD`](super::data::THREAD) of vcore 0 with the outcome in RAX; at once.
pub const CHANGE_TO_MANY: u32 = 26;
/// Look at [`wishes`](super::wishes); the outcome is how many cores are accepted.
pub const POKE: u32 = 27;
/// Go on as another vcore: its number, flags ([`KEEP`](crate::call::KEEP)); at once. Does not return if it succeeds.
pub const CHANGE_VCORE: u32 = 28;
/// Halt the core until something comes for it; at once. EAGAIN when something has come.
pub const HALT: u32 = 29;
/// Map memory: address or 0, bytes, [`Rights`](crate::memory::Rights), flags ([`FIXED`](crate::memory::FIXED), …) and
/// [spacing](crate::memory::SPACING). The value is its address.
pub const MAP: u32 = 30;
/// Unmap memory: address, bytes.
pub const UNMAP: u32 = 31;
/// Change the rights to memory: address, bytes, [`Rights`](crate::memory::Rights).
pub const PROTECT: u32 = 32;
/// Give a child memory that was mapped to be shared: pid, address.
pub const SHARE: u32 = 33;
/// Enter vcore context now; at once, and it returns when the thread is resumed.
pub const ENTER: u32 = 34;
/// Load a [`context`](super::context) and leave vcore context: its address; at once. Does not return; when something
/// is pending the vcore is entered anew first.
pub const RESUME: u32 = 35;
/// The time: the value is nanoseconds since 1970, or 0 where the machine has no clock; at once.
pub const TIME: u32 = 36;
/// Duplicate the process: ENOSYS. Make a child with [`CREATE`] instead: a process that owns whole cores has no
/// moment at which a copy of it would mean something.
pub const FORK: u32 = 37;
/// Become another program: ENOSYS, see [`FORK`].
pub const EXEC: u32 = 38;
/// Send an event to a queue of the own process: address of the [queue](super::queue), kind, value, the vcore that it is
/// about. EAGAIN when there is no room for it, EFAULT when the queue or its mailbox is not memory that can be written,
/// EINVAL when what is there is no queue.
pub const SEND: u32 = 39;
/// Have events of a kind that come to this process go to a queue: kind, address of the queue (0: to vcores, as at first).
/// At most [`QUEUES`] kinds have one. One that cannot be sent there goes to a vcore all the same.
pub const SET_QUEUE: u32 = 40;

/// Kinds of events that can have a queue; see [`SET_QUEUE`].
pub const QUEUES: usize = 16;

/// Bytes of a process in [`PROCESSES`].
pub const PROCESS_BYTES: usize = 32;
/// Fields of a process in [`PROCESSES`].
pub mod process {
    /// u16: its pid.
    pub const PID: usize = 0;
    /// u16: its parent's, 0 if it has none.
    pub const PARENT: usize = 2;
    /// u8: its state: 1 CREATED, 2 RUNNABLE_S, 3 RUNNING_S, 4 WAITING, 5 RUNNABLE_M, 6 RUNNING_M, 7 DYING,
    /// 8 DYING_ABORT.
    pub const STATE: usize = 4;
    /// u8: it is a many-core process.
    pub const IS_MANY: usize = 5;
    /// u16: cores that it has.
    pub const CORES: usize = 6;
    /// 20 bytes: its name, padded with zero bytes.
    pub const NAME: usize = 8;
}
