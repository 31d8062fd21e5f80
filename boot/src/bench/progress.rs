//! Shows how far the runs are: a bar on a terminal, a line per machine elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::profile::Profiler;
use super::region::Region;
use super::row::Counted;
use super::runner::{Task, Watcher};
use crate::{say, terminal};

/// The bar, on standard error, and who else wants to hear of what comes.
pub(super) struct Progress<'a> {
    bar: ProgressBar,
    tasks: usize,
    shown: bool,
    profiler: Option<&'a mut Profiler>,
}

/// Ticks of the bar per task; the steps of a task are parts of them.
const TICKS: u64 = 1000;

impl<'a> Progress<'a> {
    pub(super) fn new(tasks: usize, profiler: Option<&'a mut Profiler>) -> Self {
        let bar =
            ProgressBar::with_draw_target(Some(tasks as u64 * TICKS), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("[atoll] {wide_bar} {elapsed} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, tasks, shown: terminal::shows_errors(), profiler }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Watcher for Progress<'_> {
    fn begin(&mut self, index: usize, task: &Task) {
        let text = format!("{task} ({} of {})", index + 1, self.tasks);
        if self.shown {
            self.bar.set_position(index as u64 * TICKS);
            self.bar.set_message(text);
        } else {
            say(&text);
        }
    }

    fn step(&mut self, done: u64, of: u64) {
        let whole = self.bar.position() / TICKS * TICKS;
        let part = done.min(of).saturating_mul(TICKS - 1) / of.max(1);
        self.bar.set_position(whole + part);
    }

    fn skipped(&mut self, task: &Task, why: &str) {
        self.bar.suspend(|| say(&format!("skipped: {task}: {why}")));
    }

    fn counted(&mut self, task: &Task, row: &Counted, samples: &[Region]) {
        if let Some(profiler) = &mut self.profiler {
            profiler.take(task, row, samples);
        }
    }
}
