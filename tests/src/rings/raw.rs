//! The floor: a number in a cache line that two threads bounce, with nothing around it.
//!
//! There is no room to keep a number, so only round trips can be measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

use super::layout::{Ends, Layout, Rx, Tx};

/// A number in a line of its own; two lines, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// Writes a line.
#[derive(Debug)]
pub struct Writer(Arc<Line>);

impl Tx for Writer {
    #[inline]
    fn send(&mut self, number: u64) -> bool {
        self.0.0.store(number, Release);
        true
    }
}

/// Reads a line until it holds the number that comes next.
#[derive(Debug)]
pub struct Reader {
    line: Arc<Line>,
    next: u64,
}

impl Rx for Reader {
    #[inline]
    fn take(&mut self) -> Option<u64> {
        let number = self.line.0.load(Acquire);
        if number != self.next {
            return None;
        }
        self.next += 2;
        Some(number)
    }
}

/// One line, which both threads write in turn.
#[derive(Debug)]
pub struct Raw1;

impl Layout for Raw1 {
    const NAME: &'static str = "raw-1";
    type Tx = Writer;
    type Rx = Reader;

    fn duplex(_: usize) -> [Ends<Self>; 2] {
        let line = Arc::default();
        ends(&line, &line)
    }
}

/// A line for each direction: what any ring moves at least.
#[derive(Debug)]
pub struct Raw2;

impl Layout for Raw2 {
    const NAME: &'static str = "raw-2";
    type Tx = Writer;
    type Rx = Reader;

    fn duplex(_: usize) -> [Ends<Self>; 2] {
        ends(&Arc::default(), &Arc::default())
    }
}

fn ends(there: &Arc<Line>, back: &Arc<Line>) -> [(Writer, Reader); 2] {
    let reader = |line: &Arc<Line>, next| Reader { line: line.clone(), next };
    [(Writer(there.clone()), reader(back, 2)), (Writer(back.clone()), reader(there, 1))]
}
