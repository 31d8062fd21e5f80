//! `check`: does everything hold that must?
//!
//! The coordinator audits its state. What it cannot see is looked at here: whether cores read what they were sent,
//! whether the lease that this core has is the one that the coordinator thinks it has, frames.

use super::{Failed, Outcome, Shell, print};
use crate::arch::uart;
use crate::console::output::{Format, Value, record};
use crate::image::clock;
use crate::image::hub::Hub;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use monitor::{Broken, CoreState, INVARIANTS};
use proto::id::CoreId;
use proto::message::ToCore;

/// The invariants that are checked here.
const ONE_LEASE: usize = 1;
const UNREAD: usize = 13;
/// Seconds in which a core must have read what it was sent.
const PATIENCE: u64 = 2;

/// What is said of an invariant that was not come to.
const NOT_KNOWN: &str = "not known";

/// What is wrong, if anything.
type Verdict = Result<(), String>;

impl Shell<'_> {
    pub(super) fn check(&mut self, format: Format) -> Outcome {
        let verdicts = self.verdicts();
        verdicts.iter().for_each(|(name, verdict)| show(name, verdict, format));
        if verdicts.iter().all(|(_, verdict)| verdict.is_ok()) { Ok(()) } else { Err(Failed) }
    }

    /// Prints what does not hold; gives how many rules those are.
    pub(super) fn broken(&mut self) -> u64 {
        let mut verdicts = self.verdicts();
        verdicts.retain(|(_, verdict)| verdict.is_err());
        verdicts.iter().for_each(|(name, verdict)| show(name, verdict, Format::Text));
        verdicts.len() as u64
    }

    /// What there is to say of all that must hold.
    fn verdicts(&mut self) -> Vec<(String, Verdict)> {
        let unread = self.all_is_read();
        let audit = self.hub.coordinator().audit();
        let mut all = Vec::with_capacity(INVARIANTS.len() + 3);
        if let Err(broken) = &audit
            && broken.invariant().is_none()
        {
            all.push((String::from("state"), Err(broken_text(broken))));
        }
        for number in 1..=INVARIANTS.len() {
            let verdict = match &audit {
                Err(broken) if broken.invariant() == Some(number) => Err(broken_text(broken)),
                // The audit ends at the first rule that does not hold.
                Err(_) => Err(String::from(NOT_KNOWN)),
                Ok(()) if number == UNREAD => unread.clone(),
                Ok(()) if number == ONE_LEASE => self.same_lease(),
                Ok(()) => Ok(()),
            };
            all.push((format!("I{number}"), verdict));
        }
        all.push((String::from("frames"), self.frames()));
        all.push((String::from("leases"), self.leases()));
        all
    }

    /// All cores that serve read what they were sent. One that is found to be lost meanwhile serves no more.
    fn all_is_read(&mut self) -> Verdict {
        for core in self.all_cores().filter(|core| *core != CoreId::MANAGEMENT) {
            if self.serves(core)
                && let Err(why) = self.reads_all(core)
                && self.serves(core)
            {
                return Err(why);
            }
        }
        Ok(())
    }

    fn serves(&self, core: CoreId) -> bool {
        self.hub.coordinator().core(core).is_some_and(|it| it.state == CoreState::Online)
    }

    /// Asks a core for its counters. A core that has answered was awake, and reads on until nothing is left.
    fn reads_all(&mut self, core: CoreId) -> Verdict {
        let answer = self.hub.order(self.cpu, core, ToCore::Count);
        answer.map_err(|error| format!("core {core}: {error}"))?;
        let until = clock::in_seconds(PATIENCE);
        let read = |hub: &mut Hub| hub.stars().has_read_all(core).then_some(());
        match self.hub.wait(self.cpu, Some(until), read) {
            Some(()) => Ok(()),
            None => Err(format!("core {core} does not read what it was sent")),
        }
    }

    /// Is the lease of this core the one that the coordinator thinks it has?
    fn same_lease(&self) -> Verdict {
        let here = self.cpu.node.driver().lease();
        let held = self.hub.coordinator().core(CoreId::MANAGEMENT).and_then(|it| it.held);
        // One that has not said that it has started may not have been told yet.
        let expected = held.filter(|it| it.started || here.is_some()).map(|it| it.lease);
        if here == expected {
            Ok(())
        } else {
            Err(format!("core 0 has {here:?}, not {expected:?}"))
        }
    }

    /// All that processes were promised is there, and without any process nothing is missing.
    fn frames(&self) -> Verdict {
        let it = self.hub.coordinator();
        let free = self.hub.programs().map_or(0, |programs| programs.frames().0);
        let (left, all) = (it.frames_left(), it.all_frames());
        if free < left {
            return Err(format!("{left} are not reserved, and only {free} are free"));
        }
        let is_idle = it.process_count() == 0;
        if is_idle && (free, left) != (all, all) {
            return Err(format!(
                "without any process {free} of {all} are free, {left} not reserved"
            ));
        }
        Ok(())
    }

    /// Cores that are idle and cores that are leased are all that can be leased. One that is off service may still
    /// have its lease.
    fn leases(&self) -> Verdict {
        let it = self.hub.coordinator();
        let idle = it.idle_cores().len();
        let (leasable, leased) = it.leasable_and_leased();
        if idle + leased >= leasable && idle <= leasable {
            return Ok(());
        }
        Err(format!("{idle} idle, {leased} leased, {leasable} in all"))
    }
}

fn broken_text(broken: &Broken) -> String {
    let Broken { rule, pid, core } = broken;
    // A rule that is a part of an invariant begins with its name, which is shown already.
    let named = broken.invariant().and_then(|_| rule.split_once(": "));
    let mut text = String::from(named.map_or(*rule, |(_, rule)| rule));
    if let Some(pid) = pid {
        text += &format!(", process {pid}");
    }
    if let Some(core) = core {
        text += &format!(", core {core}");
    }
    text
}

fn show(name: &str, verdict: &Verdict, format: Format) {
    if format == Format::Json {
        let why = verdict.as_ref().err().map_or(Value::None, |why| why.as_str().into());
        let fields = [("check", name.into()), ("ok", Value::Bool(verdict.is_ok())), ("why", why)];
        let _ = record(&mut uart::Writer, format, &fields);
        return;
    }
    match verdict {
        Ok(()) => print(format_args!("{name} ok\n")),
        Err(why) if why == NOT_KNOWN => print(format_args!("{name} {why}\n")),
        Err(why) => print(format_args!("{name} BROKEN: {why}\n")),
    }
}
