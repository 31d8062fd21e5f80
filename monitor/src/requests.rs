//! Requests about handles, time and users, taken apart.

use crate::coordinator::Coordinator;
use crate::output::Outbox;
use crate::pipes::Direction;
use crate::programs::Program;
use crate::transfer::Order;
use proto::id::CoreId;
use proto::message::ToMonitor;

impl Coordinator {
    #[inline(always)]
    pub(crate) fn on_io_call(&mut self, core: CoreId, request: &ToMonitor, out: &mut Outbox) {
        match *request {
            ToMonitor::Create { call, path, path_length, arguments, arguments_length, flags } => {
                let program = Program { path, path_length, arguments, arguments_length };
                self.on_create(call, program, flags, out);
            }
            ToMonitor::OpenPipe { call, flags } => self.on_open_pipe(call, flags, out),
            ToMonitor::Read { call, handle, flags, at, length } => {
                let direction = Direction::Read;
                self.on_order(call, Order { direction, handle, flags, at, length }, out);
            }
            ToMonitor::Write { call, handle, flags, at, length } => {
                let direction = Direction::Write;
                self.on_order(call, Order { direction, handle, flags, at, length }, out);
            }
            ToMonitor::SetUser { call, pid, name, length } => {
                self.on_set_user(call, pid, (name, length), out);
            }
            ToMonitor::Sleep { call, ticks } => self.on_sleep(call, ticks, out),
            ToMonitor::AwaitEvent { call, seen } => self.on_await_event(call, seen, out),
            ToMonitor::List { call, at, length, first } => {
                self.on_list(call, (at, length), first, out);
            }
            _ => self.on_short_io_call(core, request, out),
        }
    }

    /// Those that are answered at once.
    #[inline(always)]
    fn on_short_io_call(&mut self, core: CoreId, request: &ToMonitor, out: &mut Outbox) {
        match *request {
            ToMonitor::Close { call, handle } => {
                self.answer(call, out, |it, pid, out| it.close_handle(pid, handle, out));
            }
            ToMonitor::SetHandle { call, handle, flags } => {
                self.answer(call, out, |it, pid, _| it.set_handle(pid, handle, flags));
            }
            ToMonitor::DupHandles { call, pid, ref pairs } => {
                self.answer(call, out, |it, caller, out| it.dup_handles(caller, pid, pairs, out));
            }
            ToMonitor::SetAlarm { call, alarm, deadline, period } => {
                let vcore = call.lease.vcore;
                self.answer(call, out, |it, pid, _| {
                    it.set_alarm(pid, vcore, alarm, deadline, period)
                });
            }
            ToMonitor::AbortCall { call, target } => {
                self.answer(call, out, |it, pid, out| it.on_abort_call(pid, target, out));
            }
            ToMonitor::AbortHandle { call, handle } => {
                self.answer(call, out, |it, pid, out| it.on_abort_handle(pid, handle, out));
            }
            _ => self.on_queue_call(core, request, out),
        }
    }
}
