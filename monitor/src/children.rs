//! Making processes, and waiting for their end.

use crate::coordinator::Coordinator;
use crate::output::{Event as Told, Outbox, Output};
use crate::process::{Demise, Name, Process, ProcessId};
use crate::waits::{Wait, Waiting};
use proto::call::{Call, NO_HANG, Outcome};
use proto::id::Pid;

impl Coordinator {
    /// Makes a process whose address space lies ready, for a process or (without one) for the console.
    #[inline(never)]
    pub(crate) fn on_spawn(
        &mut self,
        caller: Option<Call>,
        name: Name,
        (root, frames): (u64, u32),
        out: &mut Outbox,
    ) {
        let parent = match caller.map(|call| self.caller(&call)) {
            None => None,
            Some(Some(parent)) => Some(parent),
            // The parent has died meanwhile.
            Some(None) => return out.push(Output::Discard { root }),
        };
        let flags = caller.map_or(0, |call| self.take_create(call));
        match (self.make(parent, name, (root, frames)), caller) {
            (Ok(made), Some(call)) => {
                out.push(Output::Born { process: made, parent: call.lease.pid, root });
                self.equip(made, parent, flags, out);
                let outcome = Outcome(i32::from(made.pid.0));
                self.complete(call.lease.pid, call, outcome, 0, out);
            }
            (Ok(made), None) => {
                out.push(Output::Born { process: made, parent: Pid(0), root });
                self.equip(made, parent, flags, out);
                out.tell(Told::Spawned { process: made });
            }
            (Err(why), caller) => {
                out.push(Output::Discard { root });
                match caller {
                    Some(call) => self.complete(call.lease.pid, call, why, 0, out),
                    None => out.tell(Told::SpawnRefused),
                }
            }
        }
    }

    fn make(
        &mut self,
        parent: Option<Pid>,
        name: Name,
        (root, frames): (u64, u32),
    ) -> Result<ProcessId, Outcome> {
        let left = self.frames.checked_sub(frames).ok_or(Outcome::NO_MEMORY)?;
        let of_parent = match parent {
            None => None,
            Some(parent) => {
                let it = self.table.at(parent);
                if it.child_count >= self.config.max_children {
                    return Err(Outcome::AGAIN);
                }
                Some((it.id, self.table.ancestry_below(it).ok_or(Outcome::AGAIN)?))
            }
        };
        let made = self.insert(name, root).ok_or(Outcome::AGAIN)?;
        self.table.at_mut(made.pid).space.image = frames;
        self.frames = left;
        if let Some((parent, ancestry)) = of_parent {
            let child = self.table.at_mut(made.pid);
            child.parent = Some(parent);
            child.ancestry = ancestry;
            let mut children = self.table.at(parent.pid).children;
            self.table.push_back(&mut children, made.pid);
            let parent = self.table.at_mut(parent.pid);
            parent.children = children;
            parent.child_count += 1;
        }
        Ok(made)
    }

    /// Puts a process into the table, and makes room for what it needs when it becomes many-core.
    fn insert(&mut self, name: Name, root: u64) -> Option<ProcessId> {
        let count = self.table.count();
        if !self.vcores.extend(count + 1) {
            return None;
        }
        let made = self.table.insert(name, root);
        if made.is_none() {
            self.vcores.shrink(None, count);
        }
        made
    }

    pub(crate) fn on_wait(&mut self, call: Call, pid: Pid, flags: u8, out: &mut Outbox) {
        let parent = call.lease.pid;
        let process = self.table.at(parent);
        let is_child = |it: &&Process| it.parent == Some(process.id);
        let any_left = match pid {
            Pid(0) => process.child_count > 0,
            pid => self.table.by_pid(pid).filter(is_child).is_some(),
        };
        let outcome = if !any_left {
            Outcome::NO_CHILD
        } else if let Some(child) = self.ended_child(parent, pid) {
            return self.reap(parent, child, call, out);
        } else if flags & NO_HANG != 0 {
            Outcome::OK
        } else {
            match self.park(call, Waiting::Child(pid)) {
                Ok(_) => return,
                Err(outcome) => outcome,
            }
        };
        self.complete(parent, call, outcome, 0, out);
    }

    /// A child of `parent` that has ended: that one, or (0) the first.
    fn ended_child(&self, parent: Pid, pid: Pid) -> Option<Pid> {
        match pid {
            Pid(0) => self.table.at(parent).ended_children.first(),
            pid => self.table.by_pid(pid).filter(|it| it.demise == Demise::Ended).map(|_| pid),
        }
    }

    /// Answers all waits of a process that can be answered.
    pub(crate) fn answer_waits(&mut self, parent: Pid, out: &mut Outbox) {
        for at in self.table.at(parent).waits.for_children(parent) {
            // Reaping below answers others, which then are gone from the list.
            let waits = &mut self.table.at_mut(parent).waits;
            if let Some(&Wait { call, what: Waiting::Child(pid), .. }) = waits.get(at) {
                waits.take(at);
                self.on_wait(call, pid, 0, out);
            }
        }
    }

    fn reap(&mut self, parent: Pid, child: Pid, call: Call, out: &mut Outbox) {
        let mut ended = self.table.at(parent).ended_children;
        self.table.unlink(&mut ended, child);
        let process = self.table.at_mut(parent);
        process.ended_children = ended;
        process.child_count -= 1;
        let gone = self.table.at_mut(child);
        gone.parent = None;
        gone.reaped = true;
        let code = gone.exit.map_or(0, |code| code.0);
        self.free_if_over(child, out);
        let value = u64::from(code.cast_unsigned());
        self.complete(parent, call, Outcome(i32::from(child.0)), value, out);
        self.answer_waits(parent, out);
    }
}
