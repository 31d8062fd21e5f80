//! All vcores greet.
//!
//!     run vcores 3
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use programs::Words;
use user::threads;
use user::{Error, info, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[CORES]");
    let cores = words.number(info::max_vcores());
    words.end();
    let cores = threads::start(cores)?;
    let here = Arc::new(AtomicU32::new(0));
    let all: Vec<_> = (0..cores)
        .map(|_| {
            let here = Arc::clone(&here);
            threads::spawn(move || {
                // Nobody gives way before all are here, so that each has a vcore of its own.
                here.fetch_add(1, Ordering::Relaxed);
                while here.load(Ordering::Relaxed) < u32::from(cores) {
                    if info::vcores() < cores {
                        threads::yield_now();
                    }
                    core::hint::spin_loop();
                }
                threads::vcore()
            })
        })
        .collect();
    let mut vcores: Vec<_> = all.into_iter().map(threads::JoinHandle::join).collect();
    vcores.sort_unstable();
    for vcore in &vcores {
        let core = info::place(*vcore).core;
        println!("vcore {vcore} greets from core {core}");
    }
    vcores.dedup();
    println!("vcores: {} of {cores}", vcores.len());
    Ok(0)
}
