//! Checks of handles, pipes, waits and clocks. Like those of cores and processes, they walk over everything.

use crate::audit::{Audit, Broken, process_rule};
use crate::chores::Chore;
use crate::clocks::soonest;
use crate::coordinator::Coordinator;
use crate::cores::Timer;
use crate::handles::Object;
use crate::pipes::{Direction, Pipe, PipeId};
use crate::process::{Demise, Process};
use crate::waits::{Queue, Wait, WaitRef};

fn rule(holds: bool, rule: &'static str) -> Audit {
    if holds { Ok(()) } else { Err(Broken { rule, pid: None, core: None }) }
}

impl Coordinator {
    pub(crate) fn audit_io(&self) -> Audit {
        for (id, pipe) in self.pipes.iter() {
            self.audit_pipe(id, pipe)?;
        }
        for process in self.table.iter() {
            self.audit_belongings(process)?;
        }
        Ok(())
    }

    fn audit_pipe(&self, id: PipeId, pipe: &Pipe) -> Audit {
        let of_console = u32::from(id == PipeId::KEYBOARD);
        let handles = |object| self.handles_to(object) + of_console;
        rule(pipe.readers == handles(Object::Reader(id)), "a pipe's readers are counted")?;
        rule(pipe.writers == handles(Object::Writer(id)), "a pipe's writers are counted")?;
        rule(pipe.readers + pipe.writers > 0, "a pipe without handles is freed")?;
        self.audit_queue(id, Direction::Read, &pipe.reading)?;
        self.audit_queue(id, Direction::Write, &pipe.writing)?;
        let first = pipe.writing.first().and_then(|at| self.wait(at));
        let is_copied = |wait: &Wait| wait.ticket.is_some();
        rule(pipe.copying == first.is_some_and(is_copied), "only the first writer is copied")?;
        let idle = pipe.next_deed().is_none() || self.is_to_do(Chore::Pipe(id));
        rule(idle, "nobody waits at a pipe for what is there")
    }

    fn handles_to(&self, object: Object) -> u32 {
        let of = |process: &Process| {
            process.io.handles.iter().filter(|handle| handle.object == object).count() as u32
        };
        self.table.iter().map(of).sum()
    }

    fn audit_queue(&self, id: PipeId, direction: Direction, queue: &Queue) -> Audit {
        let waits_here = |at: WaitRef| {
            let transfer = self.wait(at).and_then(Wait::transfer);
            transfer.is_some_and(|transfer| transfer.pipe() == Some((id, direction)))
        };
        rule(queue.iter(&self.table).all(waits_here), "who queues at a pipe waits for it")?;
        let of = |process: &Process| {
            let queued = |wait: &&Wait| {
                wait.is_queued()
                    && wait.transfer().and_then(|it| it.pipe()) == Some((id, direction))
            };
            process.waits.iter().filter(queued).count()
        };
        let count: usize = self.table.iter().map(of).sum();
        rule(queue.iter(&self.table).count() == count, "a queue is whole")
    }

    fn audit_belongings(&self, process: &Process) -> Audit {
        let rule = |holds, rule| process_rule(process, holds, rule);
        let made = |(_, pipe): &(PipeId, &Pipe)| pipe.owner == Some(process.id);
        let pipes = self.pipes.iter().filter(made).count();
        rule(pipes == usize::from(process.io.pipes), "a process's pipes are counted")?;
        let clock = self.deadlines.deadline(Timer::Clock(process.id.pid));
        if process.is_dying() {
            let closed = process.demise <= Demise::Close;
            let rest = process.io.handles.iter().next().is_none();
            rule(closed || rest, "a process whose waits are aborted has no handles")?;
            return rule(
                clock.is_none() || process.demise <= Demise::Abort,
                "the alarms of a process go with it",
            );
        }
        rule(clock == soonest(process), "a process's clock is set to what is due first")?;
        for wait in process.waits.iter() {
            let Some(transfer) = wait.transfer() else { continue };
            let open = process.io.handles.get(transfer.handle).map(|handle| handle.object);
            rule(open == Some(transfer.object), "a call waits on an open handle")?;
            let moves = wait.is_queued() || wait.ticket.is_some();
            rule(moves, "a call that reads or writes is in a queue or being copied")?;
        }
        Ok(())
    }
}
