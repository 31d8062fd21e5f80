//! Finds in the map of its vcores when its core will be taken, keeps it until then all the same, and looks whether it was
//! taken any sooner.
//!
//!     run warned &; preempt 1 --warn 0.01; wait
//!
//! `user::threads` gives a core away as soon as it is warned; so this stands on `user::raw`.
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::sync::atomic::Ordering;
use programs::Words;
use user::proto::program::wishes;
use user::raw::here::Here;
use user::raw::page::WISHES;
use user::raw::thread::Parked;
use user::raw::vcore;
use user::time::Moment;
use user::{Error, calls, info, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    Words::new("").end();
    if vcore::start(vcore::make(), entered) < 0 {
        return Err(Error::NoDevice);
    }
    WISHES.u16(wishes::CORES).store(1, Ordering::Release);
    calls::poke().call()?;
    let began = info::place(0).since;
    let deadline = loop {
        let deadline = info::place(0).deadline;
        if deadline != 0 {
            break deadline;
        }
        spin_loop();
    };
    let in_time = Moment::now().0 < deadline;
    // This goes on when it has a core again, be it the same one.
    while info::place(0).is_there && info::place(0).since == began {
        spin_loop();
    }
    let kept = Moment::now().0 >= deadline;
    let is_forgotten = info::place(0).deadline == 0;
    println!("warned: in time {in_time}, kept until then {kept}, and forgotten {is_forgotten}");
    Ok(i32::from(!in_time || !kept || !is_forgotten))
}

/// The only thread goes on: where it was interrupted, or from the vcore that has lost its core. No event is read.
fn entered(here: &Here, interrupted: Option<Parked>) -> Parked {
    here.begin_look();
    if let Some(thread) = interrupted {
        return thread;
    }
    loop {
        for other in vcore::all().filter(|it| it.is_preempted()) {
            if let Some(thread) = here.steal_from(other) {
                return thread;
            }
        }
        spin_loop();
    }
}
