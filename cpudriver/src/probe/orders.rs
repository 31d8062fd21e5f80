//! Orders that a core takes one behind the other, without user mode in between.

use super::Crossing;
use crate::driver::Driver;
use proto::message::ToCore;

/// What a core was ordered since it was last in user mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Orders {
    /// Nothing about its lease, or it has none.
    #[default]
    None,
    /// Nothing about its lease since its vcore was in user mode.
    Ran,
    /// A vcore was started.
    Started,
    /// A vcore was put in the place of another one.
    Changed,
    /// A vcore that had yielded has let go.
    Yielded,
}

impl Orders {
    /// From what [`Orders`] was made into.
    #[must_use]
    pub const fn of(number: u8) -> Self {
        match number {
            1 => Self::Ran,
            2 => Self::Started,
            3 => Self::Changed,
            4 => Self::Yielded,
            _ => Self::None,
        }
    }

    /// The core takes an order, which the driver has not seen yet; gives what the order crosses.
    pub fn take(&mut self, order: &ToCore, driver: &Driver) -> Option<Crossing> {
        let before = *self;
        let runs = before == Self::Ran && driver.lease().is_some() && driver.request().is_none();
        let (next, crossing) = match order {
            ToCore::StartCore { .. } => {
                let crossing = (before == Self::Yielded).then_some(Crossing::YieldedStart);
                (Self::Started, crossing)
            }
            ToCore::SetContext { .. } => (Self::Changed, None),
            ToCore::Switch { .. } => (Self::Started, None),
            ToCore::Regrant { .. } => (Self::Started, runs.then_some(Crossing::UserPreempt)),
            ToCore::Preempt { .. } => {
                let crossing = match before {
                    Self::Started => Some(Crossing::StartPreempt),
                    Self::Changed => Some(Crossing::ChangedPreempt),
                    _ => runs.then_some(Crossing::UserPreempt),
                };
                (Self::None, crossing)
            }
            ToCore::Death { .. } => {
                let crossing = match before {
                    Self::Started => Some(Crossing::StartDeath),
                    Self::Changed => Some(Crossing::ChangedDeath),
                    _ => runs.then_some(Crossing::UserDeath),
                };
                let yielded = driver.request() == Some(crate::driver::Request::Yield);
                (if yielded { Self::Yielded } else { Self::None }, crossing)
            }
            ToCore::Notify { .. } => {
                let crossing = match before {
                    Self::Changed => Some(Crossing::ChangedNotify),
                    _ => runs.then_some(Crossing::UserNotify),
                };
                (before, crossing)
            }
            _ => return None,
        };
        *self = next;
        crossing
    }
}
