//! Nothing: what [`crate::probe`] does in the test build costs nothing in the normal one.

use super::cpu::Cpu;
use super::platform::Kernel;
use crate::driver::Driver;
use monitor::{Coordinator, Input};
use proto::message::{ToCore, ToMonitor};

#[inline(always)]
pub(super) const fn before_request(_: &ToMonitor) {}

#[inline(always)]
pub(super) const fn before_orders(_: &Kernel) {}

#[inline(always)]
pub(super) const fn before_answers() {}

#[inline(always)]
pub(super) const fn before_user() {}

#[inline(always)]
pub(super) const fn in_user_mode() {}

#[inline(always)]
pub(super) const fn before_halt(_: &mut Cpu) {}

#[inline(always)]
pub(super) const fn own_orders_wait() -> bool {
    false
}

#[inline(always)]
pub(super) const fn heard(_: &Coordinator, _: &Input<'_>) {}

#[inline(always)]
pub(super) const fn takes(_: &ToCore, _: &Driver) {}
