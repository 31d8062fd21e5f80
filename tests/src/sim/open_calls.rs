//! Calls that have no outcome yet.

use monitor::ProcessId;
use std::collections::BTreeMap;

/// How often each call structure was handed in and has not been answered, by its address.
///
/// Once, unless a program hands in the same structure again before it was answered, which it should not:
/// then it is answered as often as it was handed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OpenCalls {
    by_address: BTreeMap<u64, (ProcessId, u32)>,
}

impl OpenCalls {
    pub(crate) fn add(&mut self, address: u64, process: ProcessId) {
        self.by_address.entry(address).or_insert((process, 0)).1 += 1;
    }

    /// A call has its outcome; says whether it waited for one.
    pub(crate) fn answered(&mut self, address: u64, by: ProcessId) -> bool {
        let Some((process, times)) = self.by_address.get_mut(&address) else { return false };
        if *process != by {
            return false;
        }
        *times -= 1;
        if *times == 0 {
            self.by_address.remove(&address);
        }
        true
    }

    /// How many calls of these processes have no outcome.
    pub fn count(&self, of: impl Fn(ProcessId) -> bool) -> usize {
        let those = self.by_address.values().filter(|(process, _)| of(*process));
        those.map(|&(_, times)| times as usize).sum()
    }
}
