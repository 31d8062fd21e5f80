//! What each core owns, and the loop that it runs.

use super::platform::Kernel;
use super::probes;
use crate::arch::interrupts::{self, Source};
use crate::arch::{apic, cpu, percpu};
use crate::node::jobs::{self, MAX_SAMPLES};
use crate::node::{Next, Node, Star, Station};
use crate::post::{Hardware, Inbox};
use crate::program::seen::Seen;
use alloc::vec::Vec;
use proto::id::CoreId;

/// All that a core owns beside its stacks and arena. Reached by `arch::percpu::enter` alone.
#[derive(Debug)]
pub struct Cpu {
    /// The core as a node of the network.
    pub node: Node<Kernel>,
    /// Which senders have something.
    pub inbox: Inbox,
    /// Where a part of an experiment puts its samples.
    pub samples: Vec<u32>,
    /// The vcore has halted: it goes on when something has come for the core.
    pub is_halted: bool,
    /// The call by which it did, if it is traced.
    pub halted: Option<Seen>,
    /// A pass was made when the vcore was interrupted, and the vcore has not gone on.
    pub(super) has_passed: bool,
}

/// What ended a halt; a key that was typed is neither.
#[derive(Clone, Copy, Debug)]
pub struct Woken {
    /// Another core has rung.
    pub heard: bool,
    /// The timer has fired.
    pub timer: bool,
}

impl Cpu {
    /// Allocates what a core of a machine with `cores` cores needs, from its own arena.
    pub fn new(core: CoreId, cores: usize, star: Option<&'static mut Star>) -> Self {
        Self {
            node: Node::new(core, cores, Kernel::here(), star),
            inbox: Inbox::new(cores),
            samples: Vec::with_capacity(MAX_SAMPLES),
            is_halted: false,
            halted: None,
            has_passed: false,
        }
    }

    /// Serves for ever: handles what is there, lets others know, halts until there is more.
    pub fn serve(&mut self) -> ! {
        self.node.join(apic::id());
        self.node.flush();
        loop {
            // What was ordered is done even while messages keep coming.
            let busy = core::mem::take(&mut self.has_passed) || self.pass();
            match self.node.take_next() {
                Next::Park => {
                    self.node.flush();
                    cpu::park();
                }
                Next::Do(job) => self.play(&job),
                Next::Serve if self.has_vcore() => self.go_to_user_mode(busy),
                Next::Serve if busy && !self.inbox.is_calm() => {}
                Next::Serve if self.node.stays_awake() => cpu::pause(),
                Next::Serve => {
                    self.sleep();
                }
            }
        }
    }

    /// Lets the vcore run, or halt if that is what it wants.
    fn go_to_user_mode(&mut self, busy: bool) {
        if core::mem::take(&mut self.is_halted) {
            if !busy {
                self.sleep();
            }
            if let Some(entry) = self.halted.take() {
                self.node.saw(entry.returned(cpu::now(), 0));
                self.node.flush();
            }
            if !busy {
                return;
            }
        }
        self.run_vcore();
    }

    fn play(&mut self, job: &jobs::Job) {
        let mut samples = core::mem::take(&mut self.samples);
        let outcome = jobs::play(job, self, &mut samples);
        self.samples = samples;
        jobs::report(&mut self.node, &outcome);
        self.node.flush();
    }

    /// Halts until an interrupt comes, of which there may be one already, and counts what ended the halt.
    pub(super) fn halt_once(&mut self) {
        probes::before_halt(self);
        let before = cpu::now();
        self.node.platform().halt();
        self.note_halt(before);
    }

    /// Notes that this core halted from that time on, and what ended it.
    #[inline(always)]
    fn note_halt(&mut self, before: u64) -> Woken {
        let now = cpu::now();
        let (heard, timer) = (interrupts::take(Source::Doorbell), interrupts::take(Source::Timer));
        self.node.slept((before, now), heard, timer);
        Woken { heard, timer }
    }

    /// Halts, unless there is something to do, and counts what ended the halt; `None` if it did not halt.
    #[inline(always)]
    pub fn sleep(&mut self) -> Option<Woken> {
        probes::before_halt(self);
        let before = cpu::now();
        self.inbox.sleep(self.node.platform()).then(|| self.note_halt(before))
    }
}

impl Station for Cpu {
    type Platform = Kernel;

    #[inline(always)]
    fn node(&mut self) -> &mut Node<Kernel> {
        &mut self.node
    }

    #[inline]
    fn pass(&mut self) -> bool {
        let platform = *self.node.platform();
        probes::before_orders(&platform);
        let served = self.inbox.serve(&platform, &mut self.node);
        probes::before_answers();
        self.node.flush();
        served
    }
}

/// The last words of a core that panics: lets the coordinator know that its report is complete. What
/// the core was doing is never resumed, so nobody sees the state that it leaves behind.
pub fn last_words(cpu: &mut Cpu, report: u32) {
    if percpu::id() != CoreId::MANAGEMENT {
        cpu.node.fail(report);
        cpu.node.flush();
    }
}
