//! What is said about memory, and what comes of it: from a core's ring to the answer in code of its own, in which the kind of the
//! message is a constant. A program stands still meanwhile.

use super::gathered::shoot_down_all;
use super::programs::Programs;
use super::stars::Stars;
use super::{Hub, Node, probes};
use crate::arch::cpu;
use monitor::{Coordinator, CoreSet, Fault, Input, Outbox, Output};
use proto::call::Outcome;
use proto::id::{CoreId, Lease};
use proto::memory::Rights;
use proto::message::{Lane, PageRange, ToCore, ToMonitor, said, tag};

/// Why there are frames enough.
const RESERVED: &str = "the coordinator has reckoned with all frames that it asks for";

/// Names the code that encodes an order of this kind when a message of that kind has been heard, see
/// [`proto::slot::Slot::encode_for`]: each is used at one place.
struct Order<const HEARD: u8, const KIND: u8>;

/// Names the code that encodes the end of a page fault.
struct OfFault;

/// Stands for the kind of a shootdown, which names no lease.
const SHOOTDOWN: u8 = 0;
/// Stands for the kind of many answers to a shootdown.
const ALL_DONE: u8 = u8::MAX;

/// Does a message of this kind ask for a change to memory? Else it tells that one is known everywhere.
const fn changes(heard: u8) -> bool {
    matches!(heard, said::UNMAP | said::PROTECT)
}

impl Hub {
    /// Takes a message of a core, of which is known that it is of this kind, and does what comes of it.
    #[inline(never)]
    pub(super) fn hear_of_memory<const TAG: u8>(&mut self, sender: CoreId, node: &mut Node) {
        let Some(receiver) = self.stars.receiver(sender) else { return };
        let Some(slot) = receiver.first(Lane::Routine) else { return };
        let (message, bytes) = slot.decode_known::<Self, TAG, _>();
        receiver.free(Lane::Routine, bytes);
        self.tell_gathered(node);
        match message {
            Ok(message) => self.tell_of_memory::<TAG>(sender, message, node),
            Err(_) => self.stars.note_malformed(),
        }
    }

    /// Takes a page fault of a core. Mostly a page is put there, and the vcore goes on: that is done here.
    #[inline(never)]
    pub(super) fn hear_of_fault(&mut self, sender: CoreId, node: &mut Node) {
        let Some(receiver) = self.stars.receiver(sender) else { return };
        let Some(slot) = receiver.first(Lane::Routine) else { return };
        let (message, bytes) = slot.decode_known::<Self, { said::FAULT }, _>();
        receiver.free(Lane::Routine, bytes);
        self.tell_gathered(node);
        match message {
            Ok(ToMonitor::Fault { lease, address, vector, code, at }) => {
                let fault = Fault { vector, code, address, at };
                if !self.mend(sender, lease, fault, node) {
                    let message = ToMonitor::Fault { lease, address, vector, code, at };
                    self.tell(Input::Message { core: sender, message }, node);
                }
            }
            _ => self.stars.note_malformed(),
        }
    }

    /// Puts the page there that a vcore has missed, and lets it go on, if that is all that comes of a fault; says whether.
    #[inline(always)]
    fn mend(&mut self, core: CoreId, lease: Lease, fault: Fault, node: &mut Node) -> bool {
        let (None, None, Some(programs)) = (&self.recorder, &self.trace, &mut self.programs) else {
            return false;
        };
        let Some(page) = self.coordinator.mend_at_once(cpu::now(), core, lease, fault) else {
            return false;
        };
        programs.spaces.mend(page.root, page.range.first, page.rights).expect(RESERVED);
        let order = ToCore::Done { lease, outcome: Outcome::OK };
        self.stars.send_for::<OfFault>(core, &order, node.outbox());
        true
    }

    /// Tells the coordinator which cores have flushed, several.
    #[inline(never)]
    pub(super) fn tell_of_flushed(&mut self, cores: CoreSet, ticket: u32, node: &mut Node) {
        let input = Input::Flushed { cores, ticket };
        if self.recorder.is_some() {
            return self.tell(input, node);
        }
        probes::heard(&self.coordinator, &input);
        self.take_step_on_memory::<ALL_DONE>(node, |it, now, out| {
            it.hear_flushed(now, &cores, ticket, out);
        });
    }

    /// Tells the coordinator such a message. It is made anew, for the compiler to see of which kind it is.
    #[inline(always)]
    pub(super) fn tell_of_memory<const TAG: u8>(
        &mut self,
        core: CoreId,
        message: ToMonitor,
        node: &mut Node,
    ) {
        if self.recorder.is_some() {
            return self.tell(Input::Message { core, message }, node);
        }
        probes::heard(&self.coordinator, &Input::Message { core, message });
        match message {
            ToMonitor::Unmap { call, range } if TAG == said::UNMAP => {
                self.take_step_on_memory::<TAG>(node, |it, now, out| {
                    it.hear_known(now, core, &ToMonitor::Unmap { call, range }, out);
                });
            }
            ToMonitor::Protect { call, range, rights } if TAG == said::PROTECT => {
                self.take_step_on_memory::<TAG>(node, |it, now, out| {
                    it.hear_known(now, core, &ToMonitor::Protect { call, range, rights }, out);
                });
            }
            ToMonitor::ShootdownDone { ticket } if TAG == said::SHOOTDOWN_DONE => {
                self.take_step_on_memory::<TAG>(node, |it, now, out| {
                    it.hear_known(now, core, &ToMonitor::ShootdownDone { ticket }, out);
                });
            }
            _ => self.tell(Input::Message { core, message }, node),
        }
    }

    /// Has the coordinator make a step that is not recorded, and does what it asks for. Mostly page tables change and one core
    /// hears of it, which is done here; where there is anything else, all that is left is done as after any step.
    #[inline(always)]
    fn take_step_on_memory<const TAG: u8>(
        &mut self,
        node: &mut Node,
        step: impl FnOnce(&mut Coordinator, u64, &mut Outbox),
    ) {
        let now = self.make_step(step);
        let Self { coordinator, outputs, programs, stars, sent, trace, .. } = self;
        let mut done = 0;
        if let (Some(programs), None) = (programs, trace) {
            for output in outputs.outputs() {
                let is_done = match *output {
                    Output::Send { core, ref message } if core != CoreId::MANAGEMENT => {
                        let sent = sent.get_mut(core.index()).map(|sent| (&mut sent[1], now));
                        order::<TAG>(stars, core, message, sent, node)
                    }
                    Output::SendAll { ref cores, ref message }
                        if changes(TAG) && !cores.contains(CoreId::MANAGEMENT) =>
                    {
                        shoot_down_all(stars, sent, cores, message, node);
                        true
                    }
                    _ => programs.change_at_once::<TAG>(coordinator, output),
                };
                if !is_done {
                    break;
                }
                done += 1;
            }
        }
        if done == self.outputs.outputs().len() {
            return self.outputs.clear();
        }
        self.apply_from(done, node);
    }
}

/// Sends a core an order that a message of this kind may bring; false if it is another. `sent` is when the core was last sent a
/// shootdown, and when it is now.
#[inline(always)]
fn order<const HEARD: u8>(
    stars: &mut Stars,
    core: CoreId,
    message: &ToCore,
    sent: Option<(&mut u64, u64)>,
    node: &mut Node,
) -> bool {
    let outbox = node.outbox();
    match *message {
        ToCore::Done { lease, outcome } => {
            let order = ToCore::Done { lease, outcome };
            stars.send_for::<Order<HEARD, { tag::DONE }>>(core, &order, outbox);
        }
        ToCore::Changed { lease, range } => {
            let order = ToCore::Changed { lease, range };
            stars.send_for::<Order<HEARD, { tag::CHANGED }>>(core, &order, outbox);
        }
        ToCore::TlbShootdown { pid, generation, range, ticket } if changes(HEARD) => {
            let order = ToCore::TlbShootdown { pid, generation, range, ticket };
            stars.send_for::<Order<HEARD, SHOOTDOWN>>(core, &order, outbox);
            if let Some((sent, now)) = sent {
                *sent = now;
            }
        }
        _ => return false,
    }
    true
}

impl Programs {
    /// Changes page tables as a message of this kind may ask for; false if that is something else.
    #[inline(always)]
    fn change_at_once<const HEARD: u8>(&mut self, it: &Coordinator, output: &Output) -> bool {
        let is_asked = match *output {
            Output::Protect { .. } => HEARD == said::PROTECT,
            Output::Unmap { .. } => HEARD == said::UNMAP,
            Output::Release { .. } => HEARD != said::PROTECT,
            _ => false,
        };
        if is_asked {
            self.change(it, output);
        }
        is_asked
    }

    /// Gives zeroed frames to pages. The coordinator has reserved them.
    #[inline(always)]
    fn populate(&mut self, root: u64, pages: (PageRange, u32), rights: Rights) {
        self.spaces.populate(root, pages, rights).expect(RESERVED);
    }

    /// Changes page tables, where the output says so. The coordinator has reserved the frames that are needed.
    #[inline(always)]
    pub(super) fn change(&mut self, it: &Coordinator, output: &Output) {
        let done = match *output {
            Output::Populate { process, range, alike, rights } => match it.root(process) {
                Some(root) => return self.populate(root, (range, alike), rights),
                None => Ok(()),
            },
            Output::AddVcores { process, vcores } => match it.root(process) {
                Some(root) => self.spaces.add_vcores(root, vcores),
                None => Ok(()),
            },
            Output::Share { from, to, range, rights } => match (it.root(from), it.root(to)) {
                (Some(from), Some(to)) => self.spaces.share(from, to, range, rights),
                _ => Ok(()),
            },
            Output::Protect { process, range, alike, rights } => match it.root(process) {
                Some(root) => self.spaces.protect(root, (range, alike), rights),
                None => Ok(()),
            },
            Output::Unmap { process, range, alike, unused, ticket } => match it.root(process) {
                Some(root) => self.spaces.unmap(root, (range, alike), unused, ticket),
                None => Ok(()),
            },
            Output::Release { process, ticket, frames } => {
                if let Some(root) = it.root(process) {
                    self.spaces.release(root, ticket, frames);
                }
                Ok(())
            }
            _ => Ok(()),
        };
        done.expect(RESERVED);
    }
}
