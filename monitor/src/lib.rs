//! The coordinator: owns the machine's cores and everything that runs on them.
//!
//! [`Coordinator::step`] is a function: a moment, an [`Input`] and the state before give the state
//! after and a list of [`Output`]s. It reads no clock, touches no ring and no hardware, and its state
//! is plain data. So the same code runs on core 0 of the kernel, under a virtual clock on the host and
//! under an explorer that tries every order of delivery, and what a running kernel was told can be
//! told again on the host to the same effect ([`record`]).
//!
//! Key types: [`Coordinator`], [`Config`], [`Input`], [`Output`], [`Event`], [`Outbox`]. The messages
//! to and from the CPU drivers are those of the crate `proto`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod allocation;
mod ancestry;
mod audit;
mod audit_io;
mod calls;
mod children;
mod chores;
mod clocks;
mod config;
mod coordinator;
mod copies;
mod cores;
mod deadlines;
mod death;
mod events;
mod fifo;
mod gang;
mod handles;
mod input;
mod inspect;
mod invariants;
mod io;
mod lease;
mod lifecycle;
mod list;
mod loss;
mod many;
mod membership;
mod output;
mod passing;
mod pipes;
mod process;
mod programs;
mod queues;
pub mod record;
mod regrant;
mod released;
mod report;
mod requests;
mod room;
mod seat;
mod single;
mod space;
mod table;
mod timers;
mod told;
mod transfer;
mod user;
mod vcores;
mod view;
mod waits;

use proto::core_set;

pub use audit::Broken;
pub use clocks::MAX_ALARMS;
pub use config::{Config, FAN_OUT, FLUSH_PAGES, Policy, Strategy};
pub use coordinator::{Coordinator, Counters};
pub use cores::{CoreState, CoreView};
pub use death::{FAULTED, LOST_CORE};
pub use gang::Place;
pub use handles::{Handle, MAX_HANDLES, Object};
pub use input::{Command, Control, Input};
pub use inspect::{Debt, Holdings, Owed, WaitView, WaitsFor};
pub use invariants::INVARIANTS;
pub use lifecycle::State;
pub use output::{Bytes, Event, Fault, LossCause, Mailbox, Outbox, Output, Refusal};
pub use pipes::{MAX_PIPES, PipeId};
pub use process::{Name, ProcessId};
pub use programs::{MAX_ARGUMENTS, MAX_PATH, Program};
pub use proto::core_set::{CoreSet, MAX_CORES};
pub use queues::{Enqueued, Found, Put, Sending};
pub use released::MOST_RELEASED;
pub use seat::{Held, Leaving};
pub use space::{Clusters, Edge, Kind, MAX_PAGES, MAX_REGIONS, MOST_FLUSHED, Mended, RegionView};
pub use transfer::MAX_COPY;
pub use user::{BadUser, User};
pub use view::{PipeView, ProcessView, VcoreView};
pub use waits::MAX_WAITS;
