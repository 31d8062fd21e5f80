//! System calls: from the structure that a program has written to what is to be done about it.
//!
//! [`Request::of`] takes any bytes and decides without looking at anything else, so it can be tested with all
//! that a hostile program may write. What has no meaning comes out as [`Request::Refuse`] with the error.

use crate::machine::memory::PAGE;
use proto::call::{Call, HandlePair, Outcome};
use proto::id::{CoreId, Lease, Pid, VcoreId};
use proto::memory::{self, Rights};
use proto::message::{PageRange, ToMonitor};
use proto::program::{block, number};

/// A call without arguments whose answer the CPU driver has at hand. Only its number is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// Nothing.
    Null,
    /// The number of the core.
    Core,
    /// The number of the vcore.
    Vcore,
    /// The own pid.
    Pid,
}

impl Local {
    /// The call of that number, if it is one of these.
    #[must_use]
    #[inline]
    pub const fn of(number: u32) -> Option<Self> {
        Some(match number {
            number::NULL => Self::Null,
            number::CORE => Self::Core,
            number::VCORE => Self::Vcore,
            number::PID => Self::Pid,
            _ => return None,
        })
    }
}

/// What any other call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The time of day.
    Time,
    /// To enter vcore context.
    Enter,
    /// To go on with the registers that lie at this address, outside vcore context.
    Resume {
        /// The address.
        at: u64,
    },
    /// To halt until something comes.
    Halt,
    /// To give the core away.
    Yield {
        /// [`proto::call::NICE`] or 0.
        flags: u8,
    },
    /// To end.
    Exit {
        /// The exit code.
        code: i32,
    },
    /// To become a many-core process.
    ChangeToMany,
    /// To go on as another vcore.
    ChangeVcore {
        /// As which.
        to: VcoreId,
        /// [`proto::call::KEEP`] or 0.
        flags: u8,
    },
    /// Something of the coordinator: the call goes on while the program does.
    Ask(ToMonitor),
    /// Nothing that there is.
    Refuse(Outcome),
}

/// What a call asks for that others wait for, or that is asked for often. It has code of its own, in which its kind is a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurried {
    /// [Few](memory::FEW) pages of memory less: the vcore can stand still meanwhile.
    Unmap {
        /// Which.
        range: PageRange,
    },
    /// Other rights to so few pages, as with `Unmap`.
    Protect {
        /// Which.
        range: PageRange,
        /// The rights.
        rights: Rights,
    },
    /// An event to a vcore of the own process.
    NotifySelf {
        /// Which vcore.
        vcore: VcoreId,
        /// The event's kind.
        event: u16,
        /// What goes with it.
        value: u64,
    },
    /// Another number of cores, which the process has written down.
    Poke,
}

/// A call as the program has written it.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    words: &'a [u64; 8],
    /// How the coordinator names it.
    pub call: Call,
}

impl Request {
    /// What a structure asks for that is [not in a hurry](Block::hurried). Long, and so not in the code of what is.
    #[must_use]
    #[inline(never)]
    pub fn of(block: &Block<'_>) -> Self {
        debug_assert!(block.hurried().is_none(), "the caller has looked");
        let number = block.number();
        match block.at_once(number).or_else(|| block.asked(number)) {
            Some(Ok(request)) => request,
            Some(Err(outcome)) => Self::Refuse(outcome),
            None => Self::Refuse(Outcome::NO_CALL),
        }
    }
}

type Decoded = Option<Result<Request, Outcome>>;

impl<'a> Block<'a> {
    /// The structure `words`, which lies at `at`, of a vcore that runs under this lease.
    #[inline(always)]
    #[must_use]
    pub const fn new(words: &'a [u64; 8], at: u64, lease: Lease) -> Self {
        let options = words[block::OPTIONS / 8] >> (block::OPTIONS % 8 * 8);
        Self { words, call: Call { lease, at: at & !7 | options & 1 } }
    }

    /// The number of the call, as in [`number`].
    #[inline(always)]
    #[must_use]
    pub const fn number(&self) -> u32 {
        (self.words[block::NUMBER / 8] >> (block::NUMBER % 8 * 8)) as u32
    }

    /// What the call asks for, if that is in a hurry.
    #[inline(always)]
    #[must_use]
    pub fn hurried(&self) -> Option<Hurried> {
        match self.number() {
            number::UNMAP => self.few_pages().map(|range| Hurried::Unmap { range }),
            number::PROTECT => match (self.few_pages(), self.rights()) {
                (Some(range), Ok(rights)) => Some(Hurried::Protect { range, rights }),
                _ => None,
            },
            number::NOTIFY_SELF => {
                let event = self.event_to_vcore().ok();
                event.map(|(vcore, event, value)| Hurried::NotifySelf { vcore, event, value })
            }
            number::POKE => Some(Hurried::Poke),
            _ => None,
        }
    }

    /// The pages that a call unmaps or protects: `None` if they are none, or more than a vcore stands still for.
    #[inline(always)]
    fn few_pages(&self) -> Option<PageRange> {
        self.pages(0, 1).ok().filter(|range| range.pages <= memory::FEW)
    }

    /// The rights that a call gives to pages.
    #[inline(always)]
    fn rights(&self) -> Result<Rights, Outcome> {
        self.flags(2).map(Rights)
    }

    /// The vcore of the own process that a call sends an event to, the event and its value.
    #[inline(always)]
    fn event_to_vcore(&self) -> Result<(VcoreId, u16, u64), Outcome> {
        Ok((self.vcore(0)?, self.kind(1)?, self.word(2)))
    }

    #[inline(always)]
    fn word(&self, n: usize) -> u64 {
        self.words[block::ARGUMENTS / 8 + n]
    }

    #[inline(always)]
    fn flags(&self, n: usize) -> Result<u8, Outcome> {
        u8::try_from(self.word(n)).map_err(|_| Outcome::INVALID)
    }

    fn pid(&self, n: usize) -> Result<Pid, Outcome> {
        u16::try_from(self.word(n)).map(Pid).map_err(|_| Outcome::NO_PROCESS)
    }

    #[inline(always)]
    fn vcore(&self, n: usize) -> Result<VcoreId, Outcome> {
        u16::try_from(self.word(n)).map(VcoreId).map_err(|_| Outcome::INVALID)
    }

    fn core(&self, n: usize) -> Result<CoreId, Outcome> {
        u16::try_from(self.word(n)).map(CoreId).map_err(|_| Outcome::NO_CORE)
    }

    fn handle(&self, n: usize) -> Result<u8, Outcome> {
        u8::try_from(self.word(n)).map_err(|_| Outcome::BAD_HANDLE)
    }

    #[inline(always)]
    fn kind(&self, n: usize) -> Result<u16, Outcome> {
        u16::try_from(self.word(n)).map_err(|_| Outcome::INVALID)
    }

    /// A length that is cut off: more than there can be done in one call.
    fn some(&self, n: usize) -> u32 {
        u32::try_from(self.word(n)).unwrap_or(u32::MAX)
    }

    /// Whole pages from an address and a number of bytes.
    #[inline(always)]
    fn pages(&self, address: usize, bytes: usize) -> Result<PageRange, Outcome> {
        let (start, bytes) = (self.word(address), self.word(bytes));
        let end = start.checked_add(bytes).ok_or(Outcome::INVALID)?;
        let first = start / PAGE;
        let pages = end.div_ceil(PAGE) - first;
        let pages = u32::try_from(pages).map_err(|_| Outcome::NO_MEMORY)?;
        let fits = start.is_multiple_of(PAGE) && pages > 0;
        if fits { Ok(PageRange { first, pages }) } else { Err(Outcome::INVALID) }
    }

    /// The calls that the CPU driver answers, or for which the vcore stands still.
    fn at_once(&self, number: u32) -> Decoded {
        Some(Ok(match number {
            number::TIME => Request::Time,
            number::ENTER => Request::Enter,
            number::RESUME => Request::Resume { at: self.word(0) },
            number::HALT => Request::Halt,
            number::EXIT => Request::Exit { code: self.word(0) as i32 },
            number::CHANGE_TO_MANY => Request::ChangeToMany,
            number::YIELD => return Some(self.flags(0).map(|flags| Request::Yield { flags })),
            number::CHANGE_VCORE => return Some(self.change_vcore()),
            _ => return None,
        }))
    }

    fn change_vcore(&self) -> Result<Request, Outcome> {
        Ok(Request::ChangeVcore { to: self.vcore(0)?, flags: self.flags(1)? })
    }

    fn asked(&self, number: u32) -> Decoded {
        let message = self
            .about_processes(number)
            .or_else(|| self.about_handles(number))
            .or_else(|| self.about_time(number))
            .or_else(|| self.about_memory(number))?;
        Some(message.map(Request::Ask))
    }

    fn about_processes(&self, number: u32) -> Option<Result<ToMonitor, Outcome>> {
        let call = self.call;
        Some(match number {
            number::CREATE => self.create(),
            number::RUN => self.pid(0).map(|pid| ToMonitor::Run { call, pid }),
            number::DESTROY => {
                let code = self.word(1) as i32;
                self.pid(0).map(|pid| ToMonitor::Destroy { call, pid, code })
            }
            number::WAIT => self.wait(),
            number::NOTIFY => self.notify(),
            // In a hurry, unless it names none.
            number::NOTIFY_SELF => Err(self.event_to_vcore().err()?),
            number::SEND => self.send(),
            number::SET_QUEUE => {
                let queue = self.word(1);
                self.kind(0).map(|event| ToMonitor::SetQueue { call, event, queue })
            }
            number::PROVISION => self.provision(),
            number::SET_USER => self.set_user(),
            number::PROCESSES => self.list(),
            _ => return None,
        })
    }

    fn create(&self) -> Result<ToMonitor, Outcome> {
        Ok(ToMonitor::Create {
            call: self.call,
            path: self.word(0),
            path_length: u16::try_from(self.word(1)).map_err(|_| Outcome::INVALID)?,
            arguments: self.word(2),
            arguments_length: u32::try_from(self.word(3)).map_err(|_| Outcome::TOO_LONG)?,
            flags: self.flags(4)?,
        })
    }

    fn wait(&self) -> Result<ToMonitor, Outcome> {
        let pid = self.pid(0).map_err(|_| Outcome::NO_CHILD)?;
        Ok(ToMonitor::Wait { call: self.call, pid, flags: self.flags(1)? })
    }

    fn notify(&self) -> Result<ToMonitor, Outcome> {
        let (pid, event, value) = (self.pid(0)?, self.kind(1)?, self.word(2));
        Ok(ToMonitor::NotifyProcess { call: self.call, pid, event, value })
    }

    fn send(&self) -> Result<ToMonitor, Outcome> {
        let (queue, event, value, vcore) =
            (self.word(0), self.kind(1)?, self.word(2), self.vcore(3)?);
        Ok(ToMonitor::SendEvent { call: self.call, queue, event, value, vcore })
    }

    fn provision(&self) -> Result<ToMonitor, Outcome> {
        Ok(ToMonitor::Provision { call: self.call, pid: self.pid(0)?, core: self.core(1)? })
    }

    fn set_user(&self) -> Result<ToMonitor, Outcome> {
        let length = u16::try_from(self.word(2)).map_err(|_| Outcome::INVALID)?;
        Ok(ToMonitor::SetUser { call: self.call, pid: self.pid(0)?, name: self.word(1), length })
    }

    fn list(&self) -> Result<ToMonitor, Outcome> {
        let (at, length, first) = (self.word(0), self.some(1), self.pid(2)?);
        Ok(ToMonitor::List { call: self.call, at, length, first })
    }

    fn about_handles(&self, number: u32) -> Option<Result<ToMonitor, Outcome>> {
        let call = self.call;
        Some(match number {
            number::READ | number::WRITE => self.transfer(number),
            number::CLOSE => self.handle(0).map(|handle| ToMonitor::Close { call, handle }),
            number::PIPE => self.flags(0).map(|flags| ToMonitor::OpenPipe { call, flags }),
            number::SET_HANDLE => self.set_handle(),
            number::DUP_HANDLES => {
                let pairs = HandlePair::from_words([self.word(1), self.word(2)]);
                self.pid(0).map(|pid| ToMonitor::DupHandles { call, pid, pairs })
            }
            number::ABORT_HANDLE => {
                self.handle(0).map(|handle| ToMonitor::AbortHandle { call, handle })
            }
            _ => return None,
        })
    }

    fn transfer(&self, number: u32) -> Result<ToMonitor, Outcome> {
        let (call, handle, flags) = (self.call, self.handle(0)?, self.flags(3)?);
        let (at, length) = (self.word(1), self.some(2));
        Ok(if number == number::READ {
            ToMonitor::Read { call, handle, flags, at, length }
        } else {
            ToMonitor::Write { call, handle, flags, at, length }
        })
    }

    fn set_handle(&self) -> Result<ToMonitor, Outcome> {
        let (handle, flags) = (self.handle(0)?, self.flags(1)?);
        Ok(ToMonitor::SetHandle { call: self.call, handle, flags })
    }

    fn about_time(&self, number: u32) -> Option<Result<ToMonitor, Outcome>> {
        let call = self.call;
        Some(match number {
            number::SLEEP => Ok(ToMonitor::Sleep { call, ticks: self.word(0) }),
            number::ALARM => self.alarm(),
            number::AWAIT_EVENT => Ok(ToMonitor::AwaitEvent { call, seen: self.word(0) as u32 }),
            number::ABORT => Ok(ToMonitor::AbortCall { call, target: self.word(0) }),
            _ => return None,
        })
    }

    fn alarm(&self) -> Result<ToMonitor, Outcome> {
        let (alarm, deadline, period) = (self.kind(0)?, self.word(1), self.word(2));
        Ok(ToMonitor::SetAlarm { call: self.call, alarm, deadline, period })
    }

    fn about_memory(&self, number: u32) -> Option<Result<ToMonitor, Outcome>> {
        let call = self.call;
        Some(match number {
            number::MAP => self.map(),
            number::UNMAP => self.pages(0, 1).map(|range| ToMonitor::Unmap { call, range }),
            number::PROTECT => self.protect(),
            number::SHARE => {
                let first = self.word(1) / PAGE;
                self.pid(0).map(|pid| ToMonitor::Share { call, pid, first })
            }
            _ => return None,
        })
    }

    fn map(&self) -> Result<ToMonitor, Outcome> {
        let PageRange { first, pages } = self.pages(0, 1)?;
        let (rights, flags) = (Rights(self.flags(2)?), self.flags(3)?);
        Ok(ToMonitor::Map { call: self.call, first, pages, rights, flags })
    }

    fn protect(&self) -> Result<ToMonitor, Outcome> {
        let (range, rights) = (self.pages(0, 1)?, self.rights()?);
        Ok(ToMonitor::Protect { call: self.call, range, rights })
    }
}

#[cfg(test)]
mod tests;
