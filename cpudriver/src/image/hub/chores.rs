//! What waits until the outputs of a step have been applied, because it brings the coordinator an input of its own.

use super::programs::spawned;
use super::{Hub, Node};
use crate::arch;
use monitor::{Input, MAX_COPY, ProcessId, Program};
use proto::call::Call;

/// What has to be done when the outputs of a step have been applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// See [`Output::CopyIn`].
    Copy { process: ProcessId, ticket: u32, address: u64, length: u32 },
    /// See [`Output::LoadProgram`].
    Load { call: Call, program: Program },
}

impl Hub {
    /// Does one thing that waits for the last step to be over; whether there was any.
    #[inline(never)]
    pub(super) fn do_chore(&mut self, node: &mut Node) -> bool {
        let chore = self.programs.as_mut().and_then(|it| it.chores.pop_front());
        match chore {
            Some(Chore::Copy { process, ticket, address, length }) => {
                self.copy_in(process, ticket, (address, length), node);
            }
            Some(Chore::Load { call, program }) => self.load_for(call, &program, node),
            None if self.outputs.is_to_continue() => self.tell_continue(node),
            None => return false,
        }
        true
    }

    fn copy_in(
        &mut self,
        process: ProcessId,
        ticket: u32,
        (address, length): (u64, u32),
        node: &mut Node,
    ) {
        let mut bytes = [0; MAX_COPY as usize];
        let room = bytes.len().min(length as usize);
        let root = self.coordinator.root(process);
        let read = root
            .zip(self.programs.as_ref())
            .map_or(0, |(root, programs)| programs.read(root, address, &mut bytes[..room]));
        self.tell(Input::Copied { process, ticket, bytes: &bytes[..read] }, node);
    }

    fn load_for(&mut self, call: Call, program: &Program, node: &mut Node) {
        let Some(programs) = self.programs.as_mut() else { return };
        let coordinator = &self.coordinator;
        let loaded = arch::heap::with_coordinator_arena(|| {
            programs.load_for(coordinator, call.lease.pid, program)
        });
        match loaded {
            Ok((loaded, name)) => self.tell(spawned(Some(call), name, &loaded), node),
            Err(why) => self.tell(Input::LoadFailed { caller: call, why }, node),
        }
    }
}
