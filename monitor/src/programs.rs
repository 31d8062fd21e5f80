//! From the request for a process to the process: its program is loaded by the image meanwhile.

use crate::coordinator::Coordinator;
use crate::output::{Outbox, Output};
use crate::waits::{Wait, Waiting};
use proto::call::{Call, Outcome};
use proto::id::Pid;
use serde::Serialize;

/// The longest name of a program in the boot archive, in bytes.
pub const MAX_PATH: u16 = 255;
/// The most that arguments and environment may take, in bytes.
pub const MAX_ARGUMENTS: u32 = 64 * 1024;

/// A program to be loaded: where its name lies in the caller's memory, and where its arguments, each with
/// its length in bytes. Allegations until they are copied in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Program {
    /// Address of the name.
    pub path: u64,
    /// Its length, 1 to [`MAX_PATH`].
    pub path_length: u16,
    /// Address of arguments and environment.
    pub arguments: u64,
    /// Their length, up to [`MAX_ARGUMENTS`].
    pub arguments_length: u32,
}

impl Coordinator {
    /// A process wants a child; all limits are looked at before anything is loaded.
    pub(crate) fn on_create(&mut self, call: Call, program: Program, flags: u8, out: &mut Outbox) {
        let Some(pid) = self.caller(&call) else { return };
        let begun = if program.path_length == 0
            || program.path_length > MAX_PATH
            || program.arguments_length > MAX_ARGUMENTS
        {
            Err(Outcome::INVALID)
        } else if !self.has_room_for_child(pid) {
            Err(Outcome::AGAIN)
        } else {
            self.park(call, Waiting::Create { flags })
        };
        match begun {
            Ok(_) => out.push(Output::LoadProgram { call, program }),
            Err(outcome) => self.complete(pid, call, outcome, 0, out),
        }
    }

    /// May it have one child more than it has, those counted that are being loaded?
    fn has_room_for_child(&self, pid: Pid) -> bool {
        let process = self.table.at(pid);
        let loading = |wait: &&Wait| matches!(wait.what, Waiting::Create { .. });
        let children =
            usize::from(process.child_count) + process.waits.iter().filter(loading).count();
        children < usize::from(self.config.max_children)
            && self.table.may_have_children(process)
            && !self.table.is_full()
    }

    /// A program has been loaded, or not: the request does not wait any more. Says what the child shall get.
    pub(crate) fn take_create(&mut self, call: Call) -> u8 {
        let pid = call.lease.pid;
        let this = |wait: &Wait| wait.call == call && matches!(wait.what, Waiting::Create { .. });
        let waits = &mut self.table.at_mut(pid).waits;
        match waits.find(pid, this).and_then(|at| waits.take(at)).map(|wait| wait.what) {
            Some(Waiting::Create { flags }) => flags,
            _ => 0,
        }
    }

    pub(crate) fn on_load_failed(&mut self, call: Call, why: Outcome, out: &mut Outbox) {
        if let Some(pid) = self.caller(&call) {
            self.take_create(call);
            self.complete(pid, call, why, 0, out);
        }
    }
}
