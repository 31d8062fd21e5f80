//! What the coordinator wants done.

use crate::core_set::CoreSet;
use crate::pipes::PipeId;
use crate::process::ProcessId;
use crate::programs::Program;
use crate::queues::Sending;
pub use crate::told::{Event, Fault, LossCause, Refusal};
use alloc::vec::Vec;
use proto::call::{Call, Outcome};
use proto::event;
use proto::id::{CoreId, Pid, VcoreId};
use proto::memory::Rights;
use proto::message::{PageRange, ToCore};
use serde::Serialize;

/// One thing to do. The outputs of a step are applied in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Output {
    /// Put a message into a core's ring (core 0: its local queue).
    Send {
        /// To whom.
        core: CoreId,
        /// What.
        message: ToCore,
    },
    /// Put the same message into the rings of all these cores, of which there is at least one.
    SendAll {
        /// To whom.
        cores: CoreSet,
        /// What.
        message: ToCore,
    },
    /// Put a [`ToCore::Death`] into the rings of all these cores, of which there is at least one and core 0 is none: to each of
    /// the lease that it has ([`crate::Coordinator::leased`]).
    LetGo {
        /// To whom.
        cores: CoreSet,
    },
    /// Stop the core by INIT, make its rings anew and start it up; it will send `Join`.
    Restart {
        /// Which one.
        core: CoreId,
    },
    /// Send the core an NMI: it did not answer `Dump`, and the NMI makes it write its report.
    Nmi {
        /// Which one.
        core: CoreId,
    },
    /// Call `step` with [`crate::Input::Tick`] at this moment; replaces what was armed before.
    Arm {
        /// When, or `None` for not at all.
        deadline: Option<u64>,
    },
    /// Tell the console.
    Tell(Event),
    /// Call `step` with [`crate::Input::Continue`] when no other input waits.
    Again,
    /// Put an event into the mailbox of a vcore, and set its flag that says that there is something to look for.
    Post {
        /// Whose.
        process: ProcessId,
        /// Which vcore's.
        vcore: VcoreId,
        /// What happened.
        event: event::Event,
    },
    /// Put an event into a mailbox of a vcore for a program. If there is no room and it was sent by a call, the call's
    /// outcome, which follows in the same step, is EAGAIN instead.
    PostFor {
        /// Whose.
        process: ProcessId,
        /// Which vcore's.
        vcore: VcoreId,
        /// Which of its mailboxes.
        mailbox: Mailbox,
        /// What happened.
        event: event::Event,
        /// Address of the call's structure, or 0: then it leaves a mark where there is no room.
        call: u64,
    },
    /// Put an event where a queue says. Answered by [`crate::Input::Enqueued`] before anything else is told.
    Enqueue {
        /// Whose queue.
        process: ProcessId,
        /// What is sent there.
        sending: Sending,
    },
    /// Write into a queue which vcore was told last.
    SetLast {
        /// Whose queue.
        process: ProcessId,
        /// Its address, an allegation.
        queue: u64,
        /// Which vcore.
        vcore: VcoreId,
    },
    /// Set a vcore's flag that says that there is something to look for.
    SetPending {
        /// Whose.
        process: ProcessId,
        /// Which vcore's.
        vcore: VcoreId,
    },
    /// Write into a process's map when the core of a vcore will be taken. That it has no core any more takes it out again.
    Warn {
        /// Whose.
        process: ProcessId,
        /// Which vcore's.
        vcore: VcoreId,
        /// When, in clock ticks.
        deadline: u64,
    },
    /// Write a call's outcome into its structure and mark it as done.
    Complete {
        /// Whose call.
        process: ProcessId,
        /// Address of the structure, an allegation.
        call: u64,
        /// What came of it.
        outcome: Outcome,
        /// A second result: the exit code of the child that was waited for.
        value: u64,
    },
    /// Change the map from vcores to cores that the process can read.
    Map {
        /// Whose.
        process: ProcessId,
        /// Which vcore's entry.
        vcore: VcoreId,
        /// Where it is, or `None`: nowhere.
        core: Option<CoreId>,
    },
    /// Give memory to pages: those of the range that have no frame get a zeroed one, and all of them get
    /// these rights. Page tables that are missing are made. It cannot fail: the frames are reserved.
    ///
    /// What was there stays, rights apart, so that it does no harm for a page that is there already: two
    /// vcores may fault on one page, and a core may fault on rights that its translations do not show yet.
    Populate {
        /// Whose.
        process: ProcessId,
        /// Which pages: at most [`crate::MAX_PAGES`], all in [`proto::memory::MAP_AREA`] or of the stack.
        range: PageRange,
        /// From the first of them on so many pages, all memory of the process alone, will come in outputs like this one
        /// with the same rights before anybody is told. Until then they need not be there.
        alike: u32,
        /// What may be done with them. With no right at all a page keeps its frame, and any use faults.
        rights: Rights,
    },
    /// Set the rights to those pages of the range that have frames. The others, and the tables, stay as
    /// they are.
    Protect {
        /// Whose.
        process: ProcessId,
        /// Which pages: at most [`crate::MAX_PAGES`], all in [`proto::memory::MAP_AREA`].
        range: PageRange,
        /// From the first of them on so many pages will get these rights, and may already.
        alike: u32,
        /// What may be done with them, see `Populate`.
        rights: Rights,
    },
    /// Take pages out of an address space's tables; keep their frames, which cores may still use, in a
    /// batch until `Release`. Many outputs may add to one batch.
    ///
    /// Page tables below the top one that map nothing outside of `unused` go the same way, into the same
    /// batch: those that the range touches and whose whole reach (2 MiB, 1 GiB, 512 GiB) lies in it.
    Unmap {
        /// Whose.
        process: ProcessId,
        /// Which pages: at most [`crate::MAX_PAGES`], all in [`proto::memory::MAP_AREA`]. Some may have no
        /// frame.
        range: PageRange,
        /// From the first of them on so many pages will be taken out, and may be with these.
        alike: u32,
        /// The pages around the range in which no memory of the process lies any more, the range's own
        /// included.
        unused: PageRange,
        /// Names the batch; no other batch of any process has the same.
        ticket: u32,
    },
    /// Give up frames of a batch: no core has a translation to them. A frame is free when nobody has it
    /// any more, see `Share`. When the batch has no more frames it is forgotten; a batch that is not known
    /// has none.
    Release {
        /// Whose they were.
        process: ProcessId,
        /// Which batch.
        ticket: u32,
        /// How many frames at most, tables included; at most [`crate::MAX_PAGES`]. Those that one entry has mapped come
        /// back together, and count as one.
        frames: u32,
    },
    /// Give the frames of pages to another process too, at the same place, where it has none: each of them
    /// has one owner more, and is free when all have given it up. Page tables that are missing are made.
    Share {
        /// Whose memory it is; all of the pages have frames.
        from: ProcessId,
        /// Who gets it.
        to: ProcessId,
        /// Which pages: at most [`crate::MAX_PAGES`], all in [`proto::memory::MAP_AREA`].
        range: PageRange,
        /// What `to` may do with them, see `Populate`.
        rights: Rights,
    },
    /// Free an address space: its process is gone, and no core can have it loaded. What it had mapped has
    /// been unmapped and released before, so this frees what came with [`crate::Input::Spawn`] only.
    FreeSpace {
        /// Whose it was.
        process: ProcessId,
        /// Physical address of its top page table.
        root: u64,
    },
    /// A process has been made of an address space: tell it who it is.
    Born {
        /// Its name for ever.
        process: ProcessId,
        /// Its parent's pid, 0 if it has none.
        parent: Pid,
        /// Physical address of the top page table.
        root: u64,
    },
    /// A process has become a many-core one: give it the pages of its vcores, vcore 0's aside, and the rest of those about itself
    /// ([`proto::program::layout::pages_of_many`]). It cannot fail: the frames are reserved.
    AddVcores {
        /// Which process.
        process: ProcessId,
        /// How many vcores it may have.
        vcores: u16,
    },
    /// A process has no parent any more: tell it.
    Orphan {
        /// Which process.
        process: ProcessId,
    },
    /// Load a program for a child. Answered by [`crate::Input::Spawn`] or [`crate::Input::LoadFailed`] with
    /// the same call.
    LoadProgram {
        /// The parent's call.
        call: Call,
        /// The program.
        program: Program,
    },
    /// Copy bytes of a process's memory in. Answered by [`crate::Input::Copied`], even if the process has
    /// died meanwhile. Pages that it has mapped and never used come in a `Populate` before this.
    CopyIn {
        /// Whose.
        process: ProcessId,
        /// Names this request; comes back with the bytes.
        ticket: u32,
        /// Address of the first byte, an allegation.
        address: u64,
        /// How many, 1 to [`crate::MAX_COPY`].
        length: u32,
    },
    /// Copy bytes to a process's memory. If it is not there or cannot be written, the call's outcome, which
    /// follows in the same step, is EFAULT instead. Pages that it has mapped and never used come in a
    /// `Populate` before this.
    CopyOut {
        /// Whose.
        process: ProcessId,
        /// Address of the call's structure.
        call: u64,
        /// Address of the first byte, an allegation.
        address: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// Print the first bytes of those that this step's [`crate::Input::Copied`] brought.
    Print {
        /// Who prints.
        process: ProcessId,
        /// To the console's standard error.
        error: bool,
        /// How many.
        length: u32,
    },
    /// Write processes to a process's memory, as `proto::program::number::PROCESSES` says: so many from that pid on. If the memory is not
    /// there or cannot be written, the call's outcome, which follows in the same step, is EFAULT instead.
    List {
        /// Whose memory.
        process: ProcessId,
        /// Address of the call's structure.
        call: u64,
        /// Address of the first byte, an allegation.
        address: u64,
        /// The first process's pid, or one below it.
        first: Pid,
        /// How many ([`crate::Coordinator::processes_from`]), at least 1.
        count: u16,
    },
    /// Free an address space that no process was made for.
    Discard {
        /// Physical address of its top page table.
        root: u64,
    },
}

/// A mailbox of a vcore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Mailbox {
    /// The one that others may read when the vcore does not run.
    Public,
    /// The one that nobody else reads.
    Private,
}

/// Bytes that lie in the coordinator ([`crate::Coordinator::bytes`]) until its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Bytes {
    pub(crate) pipe: PipeId,
    pub(crate) start: u16,
    /// How many, at least 1.
    pub length: u16,
}

/// Where a step puts its outputs: room for one step is made at construction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outbox {
    outputs: Vec<Output>,
    /// Sends that have not been counted.
    sends: u32,
    /// The last step has left work.
    again: bool,
}

impl Outbox {
    /// More than the outputs of any one step.
    pub const CAPACITY: usize = 512;

    /// Makes an empty outbox with room for the outputs of a step.
    #[must_use]
    pub fn new() -> Self {
        Self { outputs: Vec::with_capacity(Self::CAPACITY), sends: 0, again: false }
    }

    /// The outputs in the order in which they are to be applied, leaving the outbox empty.
    pub fn drain(&mut self) -> impl Iterator<Item = Output> + '_ {
        let again = core::mem::take(&mut self.again).then_some(Output::Again);
        self.outputs.drain(..).chain(again)
    }

    /// The outputs, left where they are, but for [`Output::Again`], of which [`Outbox::is_to_continue`] tells.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Has the last step asked for [`Output::Again`]? It stays so until the next step.
    #[inline(always)]
    #[must_use]
    pub const fn is_to_continue(&self) -> bool {
        self.again
    }

    /// Forgets the outputs, which have been applied.
    pub fn clear(&mut self) {
        self.outputs.clear();
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, output: Output) {
        debug_assert!(self.outputs.len() < Self::CAPACITY, "a step has too many outputs");
        self.outputs.push(output);
    }

    #[inline(always)]
    pub(crate) fn send(&mut self, core: CoreId, message: ToCore) {
        self.sends += 1;
        self.push(Output::Send { core, message });
    }

    /// Sends a message to all of these cores, so many.
    #[inline(always)]
    pub(crate) fn send_all(&mut self, cores: CoreSet, count: u32, message: ToCore) {
        self.sends += count;
        self.push(Output::SendAll { cores, message });
    }

    /// Tells all of these cores, so many, to let go of their leases for good.
    #[inline(always)]
    pub(crate) fn let_go_all(&mut self, cores: CoreSet, count: u32) {
        self.sends += count;
        self.push(Output::LetGo { cores });
    }

    /// Has [`crate::Input::Continue`] told next, or not.
    #[inline(always)]
    pub(crate) const fn set_again(&mut self, again: bool) {
        self.again = again;
    }

    /// How many sends there have been since this was asked last.
    pub(crate) fn take_sends(&mut self) -> u64 {
        core::mem::take(&mut self.sends).into()
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.push(Output::Tell(event));
    }
}
