//! The protocol on the host, driven by hand: one test a fact.

mod crossings;
mod defects;
mod orders;
mod processes;
mod runs;
mod scene;
