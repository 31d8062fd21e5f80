//! The invariants by name, and those of them that are about what was promised rather than about what is.

use crate::audit::{Audit, Broken, process_rule};
use crate::coordinator::Coordinator;
use crate::cores::Core;
use crate::lease::process_of;
use crate::lifecycle::State;
use crate::process::{Demise, Process};
use proto::id::{CoreId, Pid};

/// The invariants I1 to I14. A rule of [`Coordinator::audit`] that is a part of one begins with its name.
pub const INVARIANTS: [&str; 14] = [
    "a vcore is on one core, and a core has one lease",
    "each vcore is on one list; none is preempted while another is online",
    "as many vcores are online as cores are granted",
    "a waiting process has no core",
    "a running process has a core",
    "a vcore is started only when its last context is saved",
    "a process that is destroyed gets no core any more",
    "memory is pinned by exactly the cores that have it loaded",
    "every event is seen by a vcore that runs, or will",
    "a waiting process is woken once",
    "a child is reaped once, or set free once",
    "every core is idle or leased",
    "no core halts while a message for it waits",
    "time on cores never runs backwards",
];

impl Broken {
    /// The number of the invariant that the rule is a part of, from 1; `None` for a rule that is none's.
    #[must_use]
    pub fn invariant(&self) -> Option<usize> {
        let (name, _) = self.rule.split_once(':')?;
        name.strip_prefix('I')?.parse().ok()
    }
}

impl Coordinator {
    pub(crate) fn audit_promises(&self) -> Audit {
        for (core, it) in (0..).map(CoreId).zip(&self.cores) {
            self.audit_lease(core, it)?;
        }
        self.table.iter().try_for_each(|process| self.audit_waiting(process))
    }

    fn audit_lease(&self, core: CoreId, it: &Core) -> Audit {
        let Some(held) = it.seat.held else { return Ok(()) };
        let rule = |holds, rule| {
            let broken = Broken { rule, pid: Some(held.lease.pid), core: Some(core) };
            if holds { Ok(()) } else { Err(broken) }
        };
        rule(held.since <= self.now, "I14: no vcore has come to its core in the future")?;
        let Some(process) = self.table.get(process_of(held.lease)) else { return Ok(()) };
        let told = held.told == process.notified(held.lease.vcore);
        let will_be = held.notify.is_some() || held.leaving.is_some() || process.is_dying();
        rule(told || will_be, "I9: a vcore that runs knows of every event, or is being told")?;
        let revoked = process.demise > Demise::Revoke;
        rule(!revoked || held.leaving.is_some(), "I7: who is destroyed has let go or was told to")
    }

    fn audit_waiting(&self, process: &Process) -> Audit {
        if process.state() != State::Waiting {
            return Ok(());
        }
        let urgent = process.gang.as_ref().is_some_and(|gang| gang.urgent.is_some());
        process_rule(process, !urgent, "I9: a waiting process has nothing urgent to see")?;
        process_rule(process, !self.is_queued(process), "I10: who waits is not queued to run")
    }

    /// Does a process stand in a queue for cores?
    pub(crate) fn is_queued(&self, process: &Process) -> bool {
        let Pid(number) = process.id.pid;
        self.run.contains(number) || self.wanting.contains(number)
    }
}

#[cfg(test)]
mod tests {
    use super::{Broken, INVARIANTS};

    fn invariant(rule: &'static str) -> Option<usize> {
        Broken { rule, pid: None, core: None }.invariant()
    }

    #[test]
    fn a_rule_names_its_invariant() {
        assert_eq!(invariant("I12: a core that can be leased is idle or leased"), Some(12));
        assert_eq!(invariant("a leased core is not idle"), None);
        assert_eq!(invariant("It is: not one"), None);
    }

    #[test]
    fn rules_name_no_invariant_that_there_is_not() {
        let sources =
            [include_str!("audit.rs"), include_str!("audit_io.rs"), include_str!("invariants.rs")];
        let rules = sources.iter().flat_map(|source| source.split("\"I").skip(1));
        let numbers = rules.filter_map(|rule| rule.split_once(": ")?.0.parse::<usize>().ok());
        assert!(numbers.clone().count() > 8);
        assert!(numbers.clone().all(|number| (1..=INVARIANTS.len()).contains(&number)));
    }
}
