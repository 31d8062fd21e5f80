//! Event queues, which lie in a program's own memory: reading what one says, and putting an event where it says.
//!
//! A program may write anything there, at any moment. So each field is read once, every access goes through the
//! process's page tables to memory that it could write itself, and no number that is read is used before it was brought
//! within its bounds.

use super::Spaces;
use super::copy::WRITABLE;
use super::fields::{PUBLIC, overflow_byte};
use super::frame::Frame;
use super::memory::Memory;
use monitor::{Enqueued, Found, Put, Sending};
use proto::call::Outcome;
use proto::event::{Event, flag, kind};
use proto::id::VcoreId;
use proto::program::{data, mailbox, queue};

/// Bytes of a process, at a place that it can write: a byte, a half, a word or a double word, aligned.
#[derive(Clone, Copy)]
struct Cell {
    frame: Frame,
    offset: usize,
}

/// The address of a queue or a mailbox and the address space that it lies in.
#[derive(Clone, Copy)]
struct Place {
    root: Frame,
    start: u64,
}

/// What a queue said when an event came.
struct Queue {
    flags: u16,
    vcore: VcoreId,
    last: VcoreId,
    mailbox: u64,
}

impl<M: Memory> Spaces<M> {
    /// Puts an event where a queue says; what it said, for whoever tells a vcore. `root` is that of the process whose queue
    /// it is.
    pub fn enqueue(&mut self, root: u64, it: &Sending) -> Enqueued {
        match self.try_enqueue(root, it) {
            Ok(found) => Enqueued::Done(found),
            Err(why) => Enqueued::Refused(why),
        }
    }

    fn try_enqueue(&mut self, root: u64, it: &Sending) -> Result<Found, Outcome> {
        let place = self.place(root, it.queue, queue::ALIGN)?;
        let Queue { flags, vcore, last, mailbox } = self.read_queue(place)?;
        let has = |flag: u16| flags & flag != 0;
        let vcore = if has(flag::VCORE_APPRO) { it.vcore } else { vcore };
        if self.vcore(root, vcore).is_none() {
            return Err(Outcome::INVALID);
        }
        let found = |put| Found { flags, vcore, last, put };
        let in_queue = mailbox != 0 && !has(flag::SPAM_PUBLIC);
        if in_queue {
            let mailbox = self.place(root, mailbox, mailbox::ALIGN)?;
            self.put_in_mailbox(mailbox, it)?;
            if !has(flag::INDIR) {
                return Ok(found(Put::InQueue));
            }
            // Either the event is seen by who has cleared the byte, or it is clear here.
            self.memory.fence();
            let alerted = self.cell(place, queue::ALERTED)?;
            let was_told = self.byte(alerted) != 0;
            if was_told && !has(flag::NOTHROTTLE) {
                // Not set once more: the program may just have cleared it, and nobody would be told of what comes next.
                return Ok(found(Put::Throttled));
            }
            self.memory.store_u8(alerted.frame, alerted.offset, 1);
        }
        let needs_mailbox = if in_queue { has(flag::SPAM_INDIR) } else { has(flag::SPAM_PUBLIC) };
        let may_wait = needs_mailbox && !has(flag::VCORE_MUST_RUN | flag::ROUNDROBIN);
        let message = match in_queue {
            true => Event { kind: kind::QUEUE, value: it.queue },
            false => it.event,
        };
        let put = match in_queue {
            _ if may_wait && self.leave_with(root, vcore, message) => Put::AtVcore,
            true => Put::InQueue,
            false => Put::Nowhere,
        };
        Ok(found(put))
    }

    /// Writes down which vcore a queue told last.
    pub fn set_last(&mut self, root: u64, queue: u64, vcore: VcoreId) {
        let place = self.place(root, queue, queue::ALIGN);
        if let Ok(cell) = place.and_then(|place| self.cell(place, queue::LAST)) {
            self.memory.store_u16(cell.frame, cell.offset, vcore.0);
        }
    }

    /// Leaves an event in the mailbox of a vcore that somebody looks at, whether the vcore runs or not. If he ceases to
    /// meanwhile he may have missed it: then it counts as not left, and may be seen twice.
    fn leave_with(&mut self, root: u64, vcore: VcoreId, event: Event) -> bool {
        let Some(page) = self.vcore(root, vcore) else { return false };
        let looked_at = Cell { frame: page, offset: data::LOOKED_AT };
        if self.byte(looked_at) == 0 || !self.try_post(root, vcore, PUBLIC, event) {
            return false;
        }
        self.memory.fence();
        self.byte(looked_at) != 0
    }

    fn place(&self, root: u64, start: u64, align: u64) -> Result<Place, Outcome> {
        if start == 0 || !start.is_multiple_of(align) {
            return Err(Outcome::INVALID);
        }
        let root = self.pool.root(root).ok_or(Outcome::NO_PROCESS)?;
        Ok(Place { root, start })
    }

    /// The cell at an offset, if the process could write there.
    fn cell(&self, place: Place, offset: usize) -> Result<Cell, Outcome> {
        let address = place.start.checked_add(offset as u64).ok_or(Outcome::FAULT)?;
        let found = self.translate(place.root, address, WRITABLE).ok_or(Outcome::FAULT)?;
        Ok(Cell { frame: found.0, offset: found.1 })
    }

    fn byte(&self, cell: Cell) -> u8 {
        let word = self.memory.load_u32(cell.frame, cell.offset & !3);
        word.to_le_bytes()[cell.offset & 3]
    }

    fn read_queue(&self, place: Place) -> Result<Queue, Outcome> {
        // One line, so one page.
        let Cell { frame, offset } = self.cell(place, 0)?;
        let flags = self.memory.load_u32(frame, offset + queue::FLAGS) as u16;
        let vcores = self.memory.load_u32(frame, offset + queue::VCORE);
        let (vcore, last) = (VcoreId(vcores as u16), VcoreId((vcores >> 16) as u16));
        let mailbox = self.memory.load_u64(frame, offset + queue::MAILBOX);
        Ok(Queue { flags, vcore, last, mailbox })
    }

    /// Puts an event into a queue's own mailbox. One of the kernel's that finds no room leaves a mark.
    fn put_in_mailbox(&mut self, place: Place, it: &Sending) -> Result<(), Outcome> {
        let head = self.cell(place, 0)?;
        let kind = self.memory.load_u32(head.frame, head.offset + mailbox::KIND);
        let length = self.memory.load_u32(head.frame, head.offset + mailbox::LENGTH);
        mailbox::bytes(kind, length).ok_or(Outcome::INVALID)?;
        let put = match kind {
            mailbox::RING => self.put_in_ring(place, length, it.event),
            _ => self.put_in_bytes(place, (kind, length), it.event),
        };
        if put == Err(Outcome::AGAIN) && it.call.is_none() {
            let lost = self.cell(place, mailbox::OVERFLOW + overflow_byte(it.event.kind))?;
            self.memory.store_u8(lost.frame, lost.offset, 1);
            return Ok(());
        }
        put
    }

    fn put_in_ring(&mut self, place: Place, length: u32, event: Event) -> Result<(), Outcome> {
        let posted = self.cell(place, mailbox::POSTED)?;
        let taken = self.cell(place, mailbox::TAKEN)?;
        let number = self.memory.load_u32(posted.frame, posted.offset);
        let taken = self.memory.load_u32(taken.frame, taken.offset);
        if number.wrapping_sub(taken) >= length {
            return Err(Outcome::AGAIN);
        }
        let at = (number % length) as usize * mailbox::EVENT_BYTES;
        // A slot never crosses a page.
        let Cell { frame, offset } = self.cell(place, mailbox::SLOTS + at)?;
        self.memory.store_u16(frame, offset, event.kind);
        self.memory.store_u64(frame, offset + 8, event.value);
        self.memory.store_u32(posted.frame, posted.offset, number.wrapping_add(1));
        Ok(())
    }

    fn put_in_bytes(
        &mut self,
        place: Place,
        (kind, length): (u32, u32),
        event: Event,
    ) -> Result<(), Outcome> {
        if u32::from(event.kind) >= length {
            return Err(Outcome::AGAIN);
        }
        let (number, check) = (usize::from(event.kind), self.cell(place, mailbox::CHECK)?);
        let byte = self.cell(place, mailbox::SLOTS + number)?;
        if kind == mailbox::COUNTERS {
            let at = mailbox::counters(length) + number * mailbox::COUNTER_BYTES;
            let Cell { frame, offset } = self.cell(place, at)?;
            for (field, more) in [(mailbox::COUNT, 1), (mailbox::SUM, event.value)] {
                let before = self.memory.load_u64(frame, offset + field);
                self.memory.store_u64(frame, offset + field, before.wrapping_add(more));
            }
        }
        self.memory.store_u8(byte.frame, byte.offset, 1);
        self.memory.store_u8(check.frame, check.offset, 1);
        Ok(())
    }
}
