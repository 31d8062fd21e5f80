//! Which cores serve: joining, heartbeat, parking and restarting, loss.

use crate::coordinator::Coordinator;
use crate::cores::{Core, CoreState, Ping, Timer};
use crate::death::LOST_CORE;
use crate::output::{Event, LossCause, Outbox, Output, Refusal};
use crate::seat::{Leaving, Seat};
use proto::id::{ApicId, CoreId, Lease};
use proto::message::ToCore;

#[cfg(test)]
mod tests;

impl Coordinator {
    pub(crate) fn on_join(&mut self, core: CoreId, apic: ApicId, out: &mut Outbox) {
        let now = self.now;
        let it = &mut self.cores[core.index()];
        // A core whose deadline had passed is welcome all the same.
        let late = it.state == CoreState::Silent && it.nonce == 0;
        if it.state != CoreState::Starting && !late {
            return self.count_unexpected(core);
        }
        let answer = core::mem::take(&mut it.start_for_console);
        let event = if answer {
            Event::Started { core, took: now - it.started }
        } else {
            Event::Joined { core, apic }
        };
        it.state = CoreState::Online;
        self.online.insert(core);
        self.cancel_timer(Timer::Change(core));
        out.tell(event);
        self.open_for_lease(core, out);
    }

    #[inline(always)]
    pub(crate) fn on_pong(&mut self, core: CoreId, nonce: u32, out: &mut Outbox) {
        let now = self.now;
        let it = &mut self.cores[core.index()];
        if nonce != it.nonce {
            return self.count_unexpected(core);
        }
        match it.ping.take() {
            Some(ping) => {
                if ping.for_console {
                    out.tell(Event::Pong { core, round_trip: now - ping.sent });
                }
                self.cancel_timer(Timer::Ping(core));
                self.send_waiting_ping(core, out);
            }
            None if it.state == CoreState::Silent && it.seat.is_free() => {
                self.bring_back(core, out);
            }
            None => self.count_unexpected(core),
        }
    }

    /// A silent core answered what it had missed: it was late, not dead. It had no lease, or has said since
    /// that it is free. One that is yet to take `Stop` will park.
    pub(crate) fn bring_back(&mut self, core: CoreId, out: &mut Outbox) {
        if self.cores[core.index()].parks {
            return;
        }
        self.cores[core.index()].state = CoreState::Online;
        self.online.insert(core);
        out.tell(Event::CoreBack { core });
        self.open_for_lease(core, out);
    }

    pub(crate) fn on_stopped(&mut self, core: CoreId, out: &mut Outbox) {
        // Parked is parked, also when it was given up meanwhile.
        let it = &self.cores[core.index()];
        let asked = it.stopping;
        if core == CoreId::MANAGEMENT || !matches!(it.state, CoreState::Online | CoreState::Silent)
        {
            return self.count_unexpected(core);
        }
        self.take_out_of_service(core, CoreState::Stopped, out);
        if asked {
            out.tell(Event::Stopped { core });
        }
    }

    pub(crate) fn on_core_failed(&mut self, core: CoreId, report: u32, out: &mut Outbox) {
        match self.cores[core.index()].state {
            CoreState::Starting | CoreState::Online | CoreState::Silent => {
                self.lose(core, LossCause::Panicked { report }, out);
            }
            CoreState::Absent | CoreState::Failed | CoreState::Stopped => {
                self.count_unexpected(core);
            }
        }
    }

    pub(crate) fn on_start_failed(&mut self, core: CoreId, out: &mut Outbox) {
        match self.cores.get(core.index()).map(|it| it.state) {
            Some(CoreState::Starting) => self.lose(core, LossCause::StartFailed, out),
            Some(_) => self.count_unexpected(core),
            None => self.counters.unexpected += 1,
        }
    }

    pub(crate) fn on_heartbeat(&mut self, out: &mut Outbox) {
        self.set_timer(Timer::Heartbeat, self.now.saturating_add(self.config.heartbeat_interval));
        if self.heartbeat_paused {
            return;
        }
        let others = |from| self.online.at_or_after(from).filter(|&it| it != CoreId::MANAGEMENT);
        let Some(core) = others(self.heartbeat_next).or_else(|| others(CoreId(1))) else { return };
        self.heartbeat_next = CoreId(core.0 + 1);
        let it = &self.cores[core.index()];
        if it.ping.is_none() && !it.stopping {
            self.send_ping(core, false, out);
        }
    }

    pub(crate) fn on_ping_overdue(&mut self, core: CoreId, out: &mut Outbox) {
        if self.heartbeat_paused {
            self.set_timer(Timer::Ping(core), self.now.saturating_add(self.config.answer_timeout));
        } else if core == CoreId::MANAGEMENT {
            // This very step runs on it.
            self.end_ping(core, out);
        } else {
            self.lose(core, LossCause::NoAnswer, out);
        }
    }

    /// The deadline of a start or a stop has passed.
    pub(crate) fn on_change_overdue(&mut self, core: CoreId, out: &mut Outbox) {
        let starting = self.cores[core.index()].state == CoreState::Starting;
        let why = if starting { LossCause::NeverJoined } else { LossCause::NoAnswer };
        self.lose(core, why, out);
    }

    pub(crate) fn ask_ping(&mut self, core: CoreId, out: &mut Outbox) -> Result<(), Refusal> {
        self.known(core)?.serves()?;
        let it = &mut self.cores[core.index()];
        if it.ping_waiting || it.ping.is_some_and(|ping| ping.for_console) {
            return Err(Refusal::Busy);
        }
        if it.ping.is_some() {
            it.ping_waiting = true;
        } else {
            self.send_ping(core, true, out);
        }
        Ok(())
    }

    pub(crate) fn ask_stop(&mut self, core: CoreId, out: &mut Outbox) -> Result<(), Refusal> {
        let it = self.known(core)?;
        if core == CoreId::MANAGEMENT {
            return Err(Refusal::ManagementCore);
        }
        it.serves()?;
        if it.stopping {
            return Err(Refusal::Busy);
        }
        self.cores[core.index()].stopping = true;
        self.set_timer(Timer::Change(core), self.now.saturating_add(self.config.answer_timeout));
        self.close_for_lease(core);
        if self.cores[core.index()].seat.is_free() {
            self.send_stop(core, out);
        } else {
            // `Stop` follows when it is free.
            self.let_go(core, Leaving::Preempt, out);
        }
        Ok(())
    }

    /// Tells a core that is free to park.
    pub(crate) fn send_stop(&mut self, core: CoreId, out: &mut Outbox) {
        self.cores[core.index()].parks = true;
        out.send(core, ToCore::Stop);
    }

    pub(crate) fn ask_start(&mut self, core: CoreId, out: &mut Outbox) -> Result<(), Refusal> {
        let it = self.known(core)?;
        match it.state {
            CoreState::Absent => return Err(Refusal::Absent),
            CoreState::Starting | CoreState::Online => return Err(Refusal::AlreadyOnline),
            CoreState::Silent | CoreState::Failed | CoreState::Stopped => {}
        }
        self.end_waits(core, out);
        let it = &mut self.cores[core.index()];
        let mut fresh = Core::new(CoreState::Starting, self.now);
        fresh.start_for_console = true;
        fresh.unexpected = it.unexpected;
        fresh.seat = core::mem::take(&mut it.seat);
        *it = fresh;
        self.set_timer(Timer::Change(core), self.now.saturating_add(self.config.start_timeout));
        out.push(Output::Restart { core });
        // INIT stopped it for certain, whatever it was doing.
        self.core_is_stopped(core, out);
        Ok(())
    }

    pub(crate) fn known(&self, core: CoreId) -> Result<&Core, Refusal> {
        self.cores.get(core.index()).ok_or(Refusal::NoSuchCore)
    }

    fn send_ping(&mut self, core: CoreId, for_console: bool, out: &mut Outbox) {
        let it = &mut self.cores[core.index()];
        // 0 means that none was ever sent.
        it.nonce = it.nonce.checked_add(1).unwrap_or(1);
        it.ping = Some(Ping { sent: self.now, for_console });
        let nonce = it.nonce;
        self.set_timer(Timer::Ping(core), self.now.saturating_add(self.config.answer_timeout));
        out.send(core, ToCore::Ping { nonce });
    }

    fn send_waiting_ping(&mut self, core: CoreId, out: &mut Outbox) {
        if core::mem::take(&mut self.cores[core.index()].ping_waiting) {
            self.send_ping(core, true, out);
        }
    }

    /// Takes a core out of service and says so.
    pub(crate) fn lose(&mut self, core: CoreId, why: LossCause, out: &mut Outbox) {
        let panicked = matches!(why, LossCause::Panicked { .. } | LossCause::StartFailed);
        let state = if panicked { CoreState::Failed } else { CoreState::Silent };
        self.counters.lost += 1;
        self.take_out_of_service(core, state, out);
        out.tell(Event::CoreLost { core, why });
    }

    fn take_out_of_service(&mut self, core: CoreId, state: CoreState, out: &mut Outbox) {
        let stopped = state == CoreState::Stopped;
        self.close_for_lease(core);
        let it = &mut self.cores[core.index()];
        it.state = state;
        self.online.remove(core);
        self.cancel_timer(Timer::Change(core));
        let it = &mut self.cores[core.index()];
        if core::mem::take(&mut it.stopping) && !stopped {
            out.tell(Event::StopUnanswered { core });
        }
        if core::mem::take(&mut it.start_for_console) {
            out.tell(Event::StartUnanswered { core });
        }
        self.end_ping(core, out);
        if state == CoreState::Silent {
            self.core_is_silent(core, out);
        } else {
            self.end_dump(core, out);
            self.core_is_stopped(core, out);
        }
    }

    /// A core does not answer. What ran there may still run, and nobody can tell for how long, so its process
    /// is destroyed. Its memory stays as it is until the core is known to have stopped or says that it is
    /// free, but nobody waits for it.
    fn core_is_silent(&mut self, core: CoreId, out: &mut Outbox) {
        self.reach_group(core, out);
        let Seat { held, leaver, shootdown, .. } = self.cores[core.index()].seat;
        let Some(held) = held else {
            if let Some(shootdown) = shootdown {
                self.leave_round(core, shootdown, out);
            }
            return;
        };
        for Lease { pid, .. } in [leaver, Some(held)].into_iter().flatten().map(|held| held.lease) {
            self.table.at_mut(pid).lost.insert(core);
            self.destroy(pid, LOST_CORE, out);
            self.continue_demise(pid, out);
        }
    }

    /// A core is known to have stopped: what ran there is gone.
    fn core_is_stopped(&mut self, core: CoreId, out: &mut Outbox) {
        self.reach_group(core, out);
        let held = self.cores[core.index()].seat.held;
        self.vacate(core, false, out);
        if let Some(held) = held {
            self.after_loss(held, out);
        }
        if let Some(shootdown) = self.cores[core.index()].seat.shootdown.take() {
            self.no_translations_on(core, shootdown, out);
        }
        if let Some(held) = held {
            self.continue_demise(held.lease.pid, out);
        }
    }

    /// Answers what the console still waits for from this core.
    fn end_waits(&mut self, core: CoreId, out: &mut Outbox) {
        self.end_ping(core, out);
        self.end_dump(core, out);
    }

    fn end_ping(&mut self, core: CoreId, out: &mut Outbox) {
        let it = &mut self.cores[core.index()];
        let waiting = core::mem::take(&mut it.ping_waiting);
        let ping = it.ping.take();
        if waiting || ping.is_some_and(|ping| ping.for_console) {
            out.tell(Event::PingUnanswered { core });
        }
        self.cancel_timer(Timer::Ping(core));
    }
}

impl Core {
    pub(crate) fn serves(&self) -> Result<(), Refusal> {
        match self.state {
            CoreState::Online => Ok(()),
            CoreState::Absent => Err(Refusal::Absent),
            _ => Err(Refusal::NotOnline),
        }
    }
}
