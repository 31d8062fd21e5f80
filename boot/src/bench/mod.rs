//! Runs the guest's experiments and turns what it prints into tables, `results.json` and `results.csv`.
//!
//! Every pair of an experiment and a number of cores gets a machine of its own, booted with the script
//! `bench NAME --json; exit`, so that no number depends on what was measured before it.
//!
//! # What the guest prints
//!
//! One JSON object a line; what does not start with `{` is for people and ignored. Numbers are JSON
//! numbers (`12`, `12.5`). An object is one of:
//!
//! * A **sample row**: the guest has measured by its own clock.
//!   `{"experiment":"ring-latency","params":{"from":0,"to":1},"metric":"cycles","unit":"cycles",
//!   "n":1000,"min":310,"p50":312,"p90":330,"p99":415,"max":612,"mean":318.2}`
//!   `"sum"` may stand for `"mean"`. With `"operations":M` a sample covers M operations, and the host
//!   divides all of `min`…`mean` by M. `n` is the number of samples. `"cores"` may say how many took part
//!   if these are not those of the machine (host mode: threads).
//! * A **region row**: the plugin has counted between two markers (`cpudriver/src/arch/marker.rs`), and
//!   the host fills in the numbers.
//!   `{"experiment":"message-cost","params":{"layout":"postcard","message":"Ping","batch":8},
//!   "region":3,"operations":8000,"clock":720045,"roles":{"sender":{"phase":1},"core 1":{"vcpu":1}}}`
//!   * `region`: the number of the region, counted from 1 by the begin markers since the machine started.
//!   * `regions` (1 if absent): so many regions in a row, `region` the first, are the samples of this row.
//!   * `operations`: what each of these regions covers; all counts are given per operation.
//!   * `clock`, if no core halted in these regions: what the guest's clock says that they took together
//!     (`marker::Region::clock`, added up). The host checks that the plugin agrees to the instruction, and fails
//!     if it does not.
//!   * `roles`: besides `total`, rows for what one `vcpu` (QEMU's index) or one `phase` did.
//!
//!   Region rows count in count mode; in time mode, where there is no plugin, they are left out.
//! * Either may say what one operation carries, `"messages":1,"bytes":64`; a row of cycles needs
//!   `"hz"`, the clock's frequency, besides. The host then adds rows of throughput: metrics `messages`
//!   and `bytes`, in units `per kiloinstruction`, or `per second` where the metric was `cycles`.
//! * `{"progress":{"done":3,"of":56}}` moves the progress bar.
//! * `{"experiment":"ring-latency","skipped":"needs two cores"}`: no rows, and why.
//! * `{"error":"…"}`: the run fails with this message.
//!
//! # What a region row becomes
//!
//! Rows with the same params and `role` added (`total` unless the row has one), metrics:
//!
//! | metric | unit | counts |
//! |---|---|---|
//! | `instructions` | `instructions` | executed by all cores (of a role: by it alone) |
//! | `kernel` | `instructions` | of these, at addresses of the kernel; no row if all are |
//! | `fences` | `fences` | executions of `mfence` |
//! | `lines` | `lines` | distinct 64-byte lines of memory read or written, per lap |
//! | `transfers` | `lines` | lines that had to move between cores |
//!
//! Precisely: the plugin counts the instructions executed after the begin marker and before the end
//! marker, by every core, no marker among them. Of a `rep` string instruction each iteration counts (and,
//! in QEMU 7.2, the last look at the counter), as it does for the clock under `-icount`; so `clock` =
//! `instructions` + laps and phases.
//!
//! A line touched twice in a lap counts once, in two laps twice; so a loop that ends each operation with
//! `marker::lap()` gives lines per operation (a batch of 8 messages is one lap, its lines divided by 8).
//! Lines are virtual addresses over 64; device memory is left out; stack and locals are included.
//!
//! A transfer is a read or write of a line by a core whose cache would not hold it, or a write to a line
//! that other caches hold too, if every cache held everything until another core wrote to it. The first
//! touch of a line in a region is none.
//!
//! # Profiles
//!
//! With `--profile` the plugin counts the executions of each instruction instead of lines. The host adds them up by
//! function ([`profile`]): those of the image, and for an experiment NAME those of its program `bench_NAME` (`_` for `-`). Other
//! programs are shown as addresses, or taken for that one where they have the same. `results.json` has the whole of it
//! as `profiles`.
//!
//! # What the host adds
//!
//! In time mode it boots `bring-up` several times and adds rows of what a clock on the wall says from the
//! start of QEMU: metric `wall` in `ms` to params `phase` = `first-line` (the kernel's first output) and
//! `all-online` (the first row, which the guest prints when all cores are online), and the `ratio` of the
//! second to the first.

mod command;
pub mod environment;
pub mod lab;
pub mod limits;
pub mod output;
pub mod plugin;
pub mod profile;
mod progress;
pub mod region;
pub mod row;
pub mod runner;
pub mod table;

pub use command::{Args, EXPERIMENTS, run};
