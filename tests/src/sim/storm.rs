//! How fast the model is: a process on all cores is granted them, and destroyed, over and over.

use super::action::{Action, Op};
use super::core::SimCore;
use super::explore::CONFIG;
use super::memory::FRAMES;
use super::world::{Violation, World};
use monitor::{Control, Input, Name};
use proto::call::Outcome;
use proto::id::{CoreId, Pid};
use proto::message::Lane;

/// What a storm came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Storm {
    /// Processes that were granted all cores and destroyed.
    pub processes: u64,
    /// Messages in both directions.
    pub messages: u64,
}

/// Has processes granted all of so many cores and destroyed, until so many messages have been sent. The
/// rules about the state as a whole are not checked.
///
/// # Errors
/// A rule about one action that does not hold.
pub fn storm(cores: usize, messages: u64) -> Result<Storm, Violation> {
    let mut world = World::new(CONFIG, cores);
    let mut done = Storm::default();
    while done.messages < messages {
        let pid = one_process(&mut world, &mut done)?;
        let kill = Control::Kill { pid, code: Outcome::OK };
        world.act_unchecked(Action::Tell(Input::Control(kill)))?;
        settle(&mut world, &mut done)?;
        done.processes += 1;
    }
    Ok(done)
}

/// A process that has been granted every core.
fn one_process(world: &mut World, done: &mut Storm) -> Result<Pid, Violation> {
    let (name, root) = (Name::new("storm"), done.processes);
    let spawn = Input::Spawn { caller: None, name, root, frames: FRAMES };
    world.act_unchecked(Action::Tell(spawn))?;
    let newest = world.coordinator.processes().next().map(|it| it.id.pid);
    let pid = newest.unwrap_or_default();
    world.act_unchecked(Action::Tell(Input::Control(Control::Run { pid })))?;
    settle(world, done)?;
    world.act_unchecked(Action::User(CoreId::MANAGEMENT, Op::ChangeToM))?;
    settle(world, done)?;
    let running = world.cores.iter().position(SimCore::can_run).unwrap_or_default();
    let all = world.coordinator.max_vcores();
    world.act_unchecked(Action::User(CoreId(running as u16), Op::Poke(all)))?;
    settle(world, done)?;
    Ok(pid)
}

fn settle(world: &mut World, done: &mut Storm) -> Result<(), Violation> {
    loop {
        let before = done.messages;
        for core in (0..world.cores.len()).map(|core| CoreId(core as u16)) {
            while world.cores[core.index()].can_handle() {
                world.act_unchecked(Action::Handle(core))?;
                done.messages += 1;
            }
            for lane in [Lane::Immediate, Lane::Routine] {
                while world.cores[core.index()].has_answer(lane) {
                    world.act_unchecked(Action::Deliver(core, lane))?;
                    done.messages += 1;
                }
            }
        }
        while world.again {
            world.act_unchecked(Action::Continue)?;
        }
        if done.messages == before {
            return Ok(());
        }
    }
}
