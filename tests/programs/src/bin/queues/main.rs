//! Event queues: what each flag and each kind of mailbox does, tried one by one by a many-core process, which says what did
//! not come out as it should.
//!
//!     run queues 3          (on up to 3 vcores; 2 at least)
#![no_std]
#![no_main]

mod flags;
mod mailboxes;
mod stage;
mod waking;

use programs::Words;
use stage::Stage;
use user::{Error, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[VCORES]");
    let first = words.next().unwrap_or("3");
    if first == waking::TELLER {
        let (parent, address) = (words.number(0), words.number(0));
        return waking::tell(parent, address).map(|()| 0);
    }
    words.end();
    let Ok(vcores) = first.parse() else { Words::new("[VCORES]").refuse() };
    let single = waking::single_core()?;
    let mut stage = Stage::start(vcores)?;
    stage.check("a process without threads waits on", single);
    flags::all(&mut stage)?;
    mailboxes::all(&mut stage)?;
    waking::many_core(&mut stage)?;
    let (checks, wrong) = stage.result();
    println!("queues: {checks} checks on {vcores} vcores, {wrong} wrong");
    Ok(i32::from(wrong > 0))
}
