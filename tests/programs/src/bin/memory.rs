//! Maps memory, uses it, changes what may be done with it, gives it back; again and again, so that what is not given back
//! would be missed.
//!
//!     run memory 64 100      (64 pages, 100 times)
#![no_std]
#![no_main]

use programs::Words;
use user::memory::{GUARD, Mapping, POPULATE, Rights};
use user::{Error, println};

user::main!(main);

const PAGE: usize = 4096;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[PAGES [TIMES]]");
    let (pages, times) = (words.number(16_usize), words.number(1_u32));
    words.end();
    let mut is_right = true;
    for _ in 0..times {
        is_right &= use_memory(pages, 0)? && use_memory(pages, POPULATE)?;
    }
    println!("memory: {pages} pages, twice {times} times, right: {is_right}");
    let guard = Mapping::new(PAGE, Rights::NONE, GUARD).is_ok();
    println!("memory: a guard: {guard}");
    println!("memory: to be written and executed: {}", refusal(PAGE, Rights(6)));
    println!("memory: of no bytes: {}", refusal(0, Rights::READ));
    println!("memory: of all bytes: {}", refusal(usize::MAX, Rights::READ));
    Ok(i32::from(!is_right))
}

/// New memory is zero, keeps what is written, also when it can only be read from then on.
fn use_memory(pages: usize, flags: u8) -> Result<bool, Error> {
    let mut memory = Mapping::new(pages * PAGE, Rights::READ_WRITE, flags)?;
    let is_zero = memory.bytes().iter().all(|byte| *byte == 0);
    for (number, page) in memory.bytes_mut().chunks_mut(PAGE).enumerate() {
        page.fill(number as u8 + 1);
    }
    memory.set_rights(Rights::READ)?;
    let mut numbered = memory.bytes().chunks(PAGE).enumerate();
    let is_kept = numbered.all(|(number, page)| page.iter().all(|byte| *byte == number as u8 + 1));
    Ok(is_zero && is_kept)
}

fn refusal(bytes: usize, rights: Rights) -> &'static str {
    Mapping::new(bytes, rights, 0).map_or_else(Error::name, |_| "mapped")
}
