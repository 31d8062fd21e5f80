//! The protocol on the host, driven by hand: one test a fact.

mod coverage;
mod crossings;
mod defects;
mod fairness;
mod faults;
mod huge;
mod kept;
mod ledger;
mod memory;
mod orders;
mod passing;
mod placement;
mod processes;
mod queues;
mod regrant;
mod released;
mod runs;
mod scene;
mod shootdown;
mod standing;
mod tree;
