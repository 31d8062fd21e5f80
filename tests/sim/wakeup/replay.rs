//! Ordinary code as a thread of the model, without coroutines and without changing it.
//!
//! A core's code is deterministic but for what its loads return, so where it stands is told by the
//! answers that it has had. To find out what it does next it is run from its beginning with these
//! answers, and unwound at the first act that has none yet. Each such point is found once and kept in a tree,
//! one branch per answer; exploring only walks the tree.
//!
//! At the head of its loop a program may tell all that it still knows ([`Op::Here`]). Two points where a
//! program knows the same are one, whatever the ways there were: what comes after depends on nothing
//! else. So the tree becomes a finite graph, and stays small.

use super::hardware::{Core, Plan};
use super::machine::{Op, Text};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

/// What a core runs.
pub(crate) type Program = Box<dyn Fn(&Core)>;

/// What is thrown to leave a program.
struct Left;

/// The acts of one run, with their answers, and the one that has no answer yet.
#[derive(Debug)]
pub(crate) struct Tape {
    answered: Vec<(Op, u8)>,
    at: Cell<usize>,
    next: Cell<Option<Op>>,
}

impl Tape {
    /// Gives the answer to an act, or leaves the program.
    ///
    /// # Panics
    /// When the program does something else than it did before: then it depends on more than its loads.
    pub(crate) fn act(&self, op: Op) -> u8 {
        let at = self.at.replace(self.at.get() + 1);
        let Some(&(before, answer)) = self.answered.get(at) else {
            self.next.set(Some(op));
            // Not `panic!`: nothing is wrong, and the hook would print it.
            resume_unwind(Box::new(Left));
        };
        assert_eq!(before, op, "the program is not a function of what it loads");
        answer
    }
}

#[derive(Debug)]
struct Point {
    op: Op,
    /// The point before, and the answer that led from there to here.
    before: Option<(u32, u8)>,
    after: Vec<(u8, u32)>,
}

/// One core's program and all points of it that were reached so far.
pub(crate) struct Thread {
    program: Program,
    core: u8,
    plan: Rc<Plan>,
    points: Vec<Point>,
    /// The points where the program has told what it knows.
    heads: HashMap<Text, u32>,
}

impl Thread {
    /// A thread at its beginning, which is point 0.
    pub(crate) fn new(core: u8, plan: Rc<Plan>, program: Program) -> Self {
        let heads = HashMap::new();
        let mut thread = Self { program, core, plan, points: Vec::new(), heads };
        thread.find(None);
        thread
    }

    /// What the thread does next at a point.
    pub(crate) fn op(&self, point: u32) -> Op {
        self.points[point as usize].op
    }

    /// The point after this one if the act there is answered so.
    pub(crate) fn after(&mut self, point: u32, answer: u8) -> u32 {
        let known = &self.points[point as usize].after;
        if let Some(&(_, next)) = known.iter().find(|(given, _)| *given == answer) {
            return next;
        }
        let next = self.find(Some((point, answer)));
        self.points[point as usize].after.push((answer, next));
        next
    }

    /// How many points were reached.
    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    fn find(&mut self, before: Option<(u32, u8)>) -> u32 {
        let op = self.run(self.answers(before));
        let number = u32::try_from(self.points.len()).expect("memory is full before");
        if let Op::Here(knowledge) = op {
            let head = *self.heads.entry(knowledge).or_insert(number);
            if head != number {
                return head;
            }
        }
        self.points.push(Point { op, before, after: Vec::new() });
        number
    }

    fn answers(&self, mut before: Option<(u32, u8)>) -> Vec<(Op, u8)> {
        let mut answers = Vec::new();
        while let Some((point, answer)) = before {
            let Point { op, before: earlier, .. } = self.points[point as usize];
            answers.push((op, answer));
            before = earlier;
        }
        answers.reverse();
        answers
    }

    fn run(&self, answered: Vec<(Op, u8)>) -> Op {
        let tape = Rc::new(Tape { answered, at: Cell::new(0), next: Cell::new(None) });
        let core = Core::new(self.core, Rc::clone(&self.plan), Rc::clone(&tape));
        match catch_unwind(AssertUnwindSafe(|| (self.program)(&core))) {
            Ok(()) => Op::Done,
            Err(thrown) if thrown.is::<Left>() => tape.next.get().expect("it left at an act"),
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// Values that get a number each when they are first seen.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    values: RefCell<Vec<T>>,
    numbers: RefCell<HashMap<T, u32>>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { values: RefCell::default(), numbers: RefCell::default() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// The number of a value; the first is 0.
    pub(crate) fn number(&self, value: T) -> u32 {
        let mut values = self.values.borrow_mut();
        let mut numbers = self.numbers.borrow_mut();
        *numbers.entry(value).or_insert_with_key(|value| {
            values.push(value.clone());
            u32::try_from(values.len() - 1).expect("memory is full before")
        })
    }

    /// The value with a number that was given.
    pub(crate) fn value(&self, number: u32) -> T {
        self.values.borrow()[number as usize].clone()
    }
}
