//! The vcore of this core: what the driver wants done to it.
//!
//! On the management core a single-core process runs: when it is stopped its registers go to a page that only
//! the kernel can reach. On every other core a vcore of a many-core process runs, whose registers go to the
//! page that it shares with its process.

use crate::arch::percpu;
use crate::arch::space::{VcorePage, saved_page, vcore_page};
use crate::arch::user::{self, Own};
use crate::driver::{Effect, Fate};
use crate::program::context::Context;
use crate::program::space::TRACED;
use crate::program::vcore::{Page, Start, Vcore};
use proto::id::{CoreId, VcoreId};
use proto::program::data;

/// Does what the driver wants done to the vcore of this core.
#[inline(always)]
pub(super) fn perform(effect: Effect) {
    match effect {
        Effect::Load { root, identifier } => {
            user::load(root, identifier);
            if is_single_core()
                && let Some(saved) = saved_page(root)
                && let Some(vcore) = vcore_page(root, VcoreId(0))
            {
                user::keep_own_pages(Own { saved, vcore });
                user::set_traced(saved.byte(TRACED) != 0);
            } else {
                look_at_trace();
            }
        }
        Effect::Start { .. } if is_single_core() => start_single(),
        Effect::Start { lease } => start(lease.vcore),
        Effect::Save { fate, .. } if is_single_core() && fate != Fate::FirstThread => {
            save_single(fate);
        }
        Effect::Save { vcore, fate } => save(vcore, fate),
        Effect::Drop { vcore } => {
            if let (Some(mut page), false) = (page_of(vcore), is_single_core()) {
                page.drop_context();
            }
        }
        Effect::Unload => user::unload(),
        Effect::EnterVcoreContext { vcore } => enter(vcore),
        Effect::Flush { range } => user::flush(range),
        Effect::Resume { outcome } => user::answer_outcome(outcome),
        Effect::Reflect { vcore } => {
            let keep = |page: &mut VcorePage, at| user::save_own(*page, at);
            let entry = page_of(vcore).and_then(|mut page| page.reflect_kept(keep));
            if let Some(entry) = entry {
                user::set_entry(entry);
            }
        }
        // The registers still stand on the instruction that faulted; messages are the node's.
        Effect::Repeat | Effect::HandOn(_) | Effect::Answer { .. } | Effect::Send(_) => {}
    }
}

/// Learns whether the calls of the process that is loaded are traced.
pub(super) fn look_at_trace() {
    user::set_traced(saved().is_some_and(|mut saved| saved.page().byte(TRACED) != 0));
}

/// Whether this is the management core.
pub(super) fn is_single_core() -> bool {
    percpu::id() == CoreId::MANAGEMENT
}

/// The page of a vcore of the space that is loaded.
#[inline]
pub(super) fn page_of(vcore: VcoreId) -> Option<Vcore<VcorePage>> {
    Some(Vcore::new(vcore_page(user::loaded()?, vcore)?, vcore.0))
}

fn saved() -> Option<Vcore<VcorePage>> {
    Some(Vcore::new(saved_page(user::loaded()?)?, 0))
}

fn start(vcore: VcoreId) {
    let Some(mut page) = page_of(vcore) else { return };
    let start = page.start();
    load_extended(&mut page, user::load_extended);
    match start {
        Start::GoesOn(context) => user::set_context(&context),
        Start::Anew(entry) => user::set_entry(entry),
    }
}

/// Lets the single-core process that is loaded go on.
#[inline(never)]
fn start_single() {
    let Some(own) = user::own_pages() else { return };
    load_extended(&mut Vcore::new(own.saved, 0), user::load_own_extended);
    user::load_own(own.saved, data::VCORE);
    if Vcore::new(own.vcore, 0).is_pending() {
        enter(VcoreId(0));
    }
}

/// Keeps all of the single-core process that is loaded.
#[inline(never)]
fn save_single(fate: Fate) {
    let Some(own) = user::own_pages() else { return };
    if let Fate::Returns(outcome) = fate {
        user::answer_outcome(outcome);
    }
    user::save_own(own.saved, data::VCORE);
    user::save_own_extended(own.saved);
    own.saved.store_u8(data::EXTENDED_SAVED, 1);
}

fn save(vcore: VcoreId, fate: Fate) {
    let Some(mut page) = page_of(vcore) else { return };
    page.save(user::context(), fate);
    user::save_extended(*page.page());
    page.is_stopped();
}

fn load_extended(page: &mut Vcore<VcorePage>, load: impl FnOnce(VcorePage)) {
    if page.extended_is_saved() {
        load(*page.page());
    } else {
        user::reset_extended();
    }
}

/// Enters vcore context, if the vcore may be entered.
pub(super) fn enter(vcore: VcoreId) {
    let Some(mut page) = page_of(vcore) else { return };
    if let Some(entry) = page.interrupt(|page, at| user::save_own(*page, at)) {
        user::set_entry(entry);
    }
}

/// Prepares the registers of a single-core process that has never run, in the space at `root`.
pub(super) fn prepare(root: u64, entry: u64, stack: u64) {
    if let Some(mut page) = saved_page(root) {
        let registers = crate::program::context::Registers::starting(entry, stack);
        page.set_context(data::VCORE, &Context { registers, ..Context::default() });
    }
}
