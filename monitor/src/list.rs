//! Which processes there are, for a process that asks.

use crate::coordinator::Coordinator;
use crate::output::{Outbox, Output};
use proto::call::{Call, Outcome};
use proto::id::Pid;
use proto::memory::Rights;
use proto::program::number::PROCESS_BYTES;

/// Processes that one call gets at most.
const MOST: usize = 64;
/// Pids that one call looks at; the next one goes on behind them.
const LOOKED_AT: u16 = 256;

impl Coordinator {
    /// A moment's snapshot of a part of the table: those that have ended and were reaped are left out.
    pub(crate) fn on_list(
        &mut self,
        call: Call,
        (address, length): (u64, u32),
        first: Pid,
        out: &mut Outbox,
    ) {
        let Some(pid) = self.caller(&call) else { return };
        let room = (length as usize / PROCESS_BYTES).min(MOST);
        if room == 0 {
            return self.complete(pid, call, Outcome::INVALID, 0, out);
        }
        let end = Pid(first.0.saturating_add(LOOKED_AT));
        let (count, next) = {
            let mut there = self.table.range(first, end).filter(|it| !it.reaped);
            let count = there.by_ref().take(room).count();
            (count, there.next().map_or(end, |it| it.id.pid))
        };
        let is_more = usize::from(next.0) < self.table.len();
        let next = if is_more { next.0.into() } else { 0 };
        if count > 0 {
            let bytes = (count * PROCESS_BYTES) as u32;
            let process = self.table.at(pid);
            process.make_present((address, bytes), Rights::WRITE, out);
            let process = process.id;
            let (call, count) = (call.at & !7, u16::try_from(count).unwrap_or(u16::MAX));
            out.push(Output::List { process, call, address, first, count });
        }
        let outcome = Outcome(i32::try_from(count).unwrap_or(i32::MAX));
        self.complete(pid, call, outcome, next, out);
    }
}
