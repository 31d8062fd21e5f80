//! Copies, moves, fills and compares memory of all small sizes and places, and checks each against a loop: what the
//! compiler takes for granted is ours here.
//!
//!     run bytes 10000
#![no_std]
#![no_main]

use core::cmp::Ordering;
use core::hint::black_box;
use programs::{Random, Words};
use user::println;

user::main!(main);

const LENGTH: usize = 256;
type Room = [u8; LENGTH];

fn main() -> i32 {
    let mut words = Words::new("[ROUNDS]");
    let rounds: u32 = words.number(2000);
    words.end();
    let mut random = Random(rounds.into());
    let wrong: u32 = (0..rounds).map(|_| round(&mut random)).sum();
    println!("bytes: {rounds} rounds, {wrong} wrong");
    i32::from(wrong > 0)
}

/// How many of the four went wrong.
fn round(random: &mut Random) -> u32 {
    let mut room: Room = core::array::from_fn(|_| random.number() as u8);
    let before = room;
    let length = random.below(100) as usize;
    let [from, to] = [0; 2].map(|_| random.below((LENGTH - length) as u64) as usize);
    // Moving: both may overlap, either way.
    room.copy_within(black_box(from)..from + length, black_box(to));
    let moved = (0..LENGTH).all(|at| {
        let source = if (to..to + length).contains(&at) { at - to + from } else { at };
        room[at] == before[source]
    });
    let mut copy = [0; LENGTH];
    copy[to..to + length].copy_from_slice(black_box(&before[from..from + length]));
    let copied = (0..LENGTH).all(|at| {
        copy[at] == if (to..to + length).contains(&at) { before[at - to + from] } else { 0 }
    });
    let byte = random.number() as u8;
    room = before;
    room[to..to + length].fill(black_box(byte));
    let filled = (0..LENGTH)
        .all(|at| room[at] == if (to..to + length).contains(&at) { byte } else { before[at] });
    let compared = compare(&before, random);
    [moved, copied, filled, compared].iter().map(|right| u32::from(!right)).sum()
}

/// Two texts that are equal, but for one byte perhaps.
fn compare(bytes: &Room, random: &mut Random) -> bool {
    let length = random.below(60) as usize + 1;
    let (mut one, start) = (*bytes, random.below(100) as usize);
    let other = one;
    let at = start + random.below(length as u64) as usize;
    one[at] = one[at].wrapping_add(random.below(3) as u8);
    let [one, other] = [&one, &other].map(|it| black_box(&it[start..start + length]));
    let expected = one.iter().zip(other).map(|(a, b)| a.cmp(b)).find(|it| it.is_ne());
    one.cmp(other) == expected.unwrap_or(Ordering::Equal) && (one == other) == expected.is_none()
}
