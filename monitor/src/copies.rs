//! Bytes on their way between pipes and the memory of processes, whose pages are put there if they are not.

use crate::output::{Bytes, Outbox, Output};
use crate::pipes::{PipeId, Ring, Taken};
use crate::process::Process;
use crate::waits::Ticket;
use proto::memory::Rights;

/// Hands bytes of a pipe to a process that reads there, so many at most: says how many. The buffer is told by its call's
/// structure, its address and its length.
#[inline(always)]
pub(crate) fn hand(
    process: &Process,
    pipe: PipeId,
    ring: &mut Ring,
    (call, at, left): (u64, u64, u32),
    out: &mut Outbox,
) -> u32 {
    let Taken { start, first, second } = ring.take(left as usize);
    hand_part(process, (call, at), Bytes { pipe, start, length: first }, out);
    if second > 0 {
        let at = at.saturating_add(first.into());
        hand_part(process, (call, at), Bytes { pipe, start: 0, length: second }, out);
    }
    u32::from(first) + u32::from(second)
}

#[inline(always)]
fn hand_part(process: &Process, (call, at): (u64, u64), bytes: Bytes, out: &mut Outbox) {
    process.make_present((at, bytes.length.into()), Rights::WRITE, out);
    out.push(Output::CopyOut { process: process.id, call, address: at, bytes });
}

/// Asks for bytes of a process that writes.
#[inline(always)]
pub(crate) fn ask_for(process: &Process, ticket: Ticket, buffer: (u64, u32), out: &mut Outbox) {
    process.make_present(buffer, Rights::READ, out);
    let (process, ticket, (address, length)) = (process.id, ticket.get(), buffer);
    out.push(Output::CopyIn { process, ticket, address, length });
}
