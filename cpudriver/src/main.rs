//! The kernel image: links the library of this crate, which holds the entry point.
//!
//! `cargo run` builds and boots it; on the host this program only says so.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use cpudriver as _;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("This is the kernel image; type `cargo run` to boot it.");
}
