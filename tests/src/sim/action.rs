//! What can happen in a world.

use super::io::IoOp;
use super::queues::ModelQueue;
use monitor::Input;
use proto::id::{CoreId, Pid, VcoreId};
use proto::memory::Rights;
use proto::message::Lane;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The coordinator takes the next message of a core.
    Deliver(CoreId, Lane),
    /// The coordinator takes the answers to one shootdown together that are their cores' next messages.
    Gather(u32),
    /// The coordinator is told together of all cores whose next messages say that they are off a process that is destroyed.
    GatherReleased(Pid),
    /// A core takes its next message.
    Handle(CoreId),
    /// A core takes the next message of a peer.
    HandlePeer(CoreId, CoreId),
    /// The program on a core does something.
    User(CoreId, Op),
    /// The clock moves on by so many ticks, but not beyond the armed deadline.
    Pass(u64),
    /// The clock moves on to the armed deadline, and the coordinator is told.
    Tick,
    /// The coordinator goes on with unfinished work.
    Continue,
    /// The console or the image tells the coordinator something.
    Tell(Input<'static>),
    /// The image does the first of what it has to do on core 0 for the coordinator.
    Serve,
    /// Something goes wrong with a core.
    Fail(CoreId, Mishap),
}

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Clears the flag and reads the mailbox of its vcore.
    Look,
    /// Leaves vcore context; enters it again at once when the flag is set.
    RunThread,
    /// Yields; as many cores are wanted from now on.
    Yield {
        /// How many.
        wanted: u16,
        /// It gives way rather than wait.
        nice: bool,
    },
    /// Goes on as another vcore.
    ChangeVcore {
        /// As which.
        to: VcoreId,
        /// The context is kept.
        keep: bool,
    },
    /// Becomes a many-core process.
    ChangeToM,
    /// Raises an exception.
    Fault,
    /// Touches memory that it has no right to, and wants to hear of it.
    ReflectedFault,
    /// Ends the process.
    Exit(i32),
    /// Asks for cores.
    Poke(u16),
    /// Makes a child.
    Spawn,
    /// Lets a process run.
    Run(Pid),
    /// Ends a process.
    Destroy(Pid, i32),
    /// Waits for a child (0: any).
    Wait {
        /// For which.
        pid: Pid,
        /// Or else returns at once.
        no_hang: bool,
    },
    /// Posts an event to a process.
    NotifyProcess(Pid),
    /// Posts an event to a vcore of its own process.
    NotifyVcore(VcoreId),
    /// Sends an event to a queue, about a vcore.
    Send(ModelQueue, VcoreId),
    /// Has a queue for events that others send, or none.
    SetQueue(Option<ModelQueue>),
    /// Writes to a page of memory.
    Touch(u64),
    /// Reads a page of memory.
    Read(u64),
    /// Maps memory.
    Map {
        /// The first page, if it is to be that one.
        first: u64,
        /// How many.
        pages: u32,
        /// What may be done with them.
        rights: Rights,
        /// See `proto::memory`.
        flags: u8,
    },
    /// Takes pages out of its memory: the first, and how many.
    Unmap(u64, u32),
    /// Changes the rights to pages of its memory: the first, and how many.
    Protect(u64, u32, Rights),
    /// Gives a process the shared memory that begins at a page.
    Share(Pid, u64),
    /// Asks for something about handles, time or users.
    Io(IoOp),
    /// Hands in the call structure of the last request made on this core again.
    Again,
    /// Hands the right to a core on.
    Provision(Pid, CoreId),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mishap {
    /// The core takes no message any more.
    FallSilent,
    /// It takes messages again.
    Recover,
    /// It panics.
    Panic,
    /// It joins after a start.
    Join,
    /// A message about a lease that has ended arrives at the core once more: how many before the last.
    ReplayToCore(u8),
    /// A message about a lease that has ended arrives at the coordinator once more.
    ReplayToMonitor(u8),
}
