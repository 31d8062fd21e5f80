//! Address spaces in memory of the host.

mod fields;
mod huge;
mod load;
mod model;
mod queue;
mod ram;

use super::Spaces;
use crate::program::elf::tests as elf;
use crate::program::space::File;
use crate::program::space::entry;
use crate::program::space::frame::Frame;
use crate::program::space::memory::PAGE;
use proto::message::PageRange;
use ram::{Ram, spaces};

/// A space with a small program in it.
fn loaded(spaces: &mut Spaces<Ram>) -> u64 {
    let bytes = elf::file(&elf::good());
    let file = File { bytes: &bytes, place: None };
    spaces.load(file, b"program\0").unwrap().root
}

/// The page's entry, 0 if there is none.
fn entry_of(spaces: &Spaces<Ram>, root: u64, address: u64) -> u64 {
    let root = spaces.pool.root(root).unwrap();
    spaces.find(root, address / PAGE as u64)
}

fn frame_of(spaces: &Spaces<Ram>, root: u64, address: u64) -> Frame {
    entry::frame(entry_of(spaces, root, address))
}

fn pages(first: u64, pages: u32) -> PageRange {
    PageRange { first, pages }
}

/// A change to these pages alone.
fn only(range: PageRange) -> (PageRange, u32) {
    (range, range.pages)
}
