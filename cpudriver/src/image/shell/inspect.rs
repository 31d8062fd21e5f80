//! `pip`: all that is known of a process.
//!
//! Everything is read between two passes of the hub, and printed at once: nothing comes in between.

use super::{Failed, Outcome, Shell, say};
use crate::arch::space::{saved_page, vcore_page};
use crate::arch::{cpu, uart, user};
use crate::console::output::{Format, Table, Value, number, record, text};
use crate::image::clock::micros;
use crate::machine::memory::PAGE;
use crate::program::backtrace::backtrace;
use crate::program::context::Context;
use crate::program::vcore::Page;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use monitor::{Holdings, Object, PipeId, Place, ProcessView, RegionView};
use proto::id::{Lease, Pid, VcoreId};
use proto::memory::Rights;
use proto::program::data;

/// The lists that a vcore can be on, and what they are called.
const LISTS: [(Place, &str); 5] = [
    (Place::Online, "online"),
    (Place::Preempted, "preempted"),
    (Place::Inactive, "inactive"),
    (Place::Leaving, "leaving"),
    (Place::Saving, "saving"),
];

impl Shell<'_> {
    pub(super) fn show_process(&mut self, pid: Pid, verbose: bool, format: Format) -> Outcome {
        let Some(view) = self.hub.coordinator().process(pid) else {
            say!("no such process");
            return Err(Failed);
        };
        self.show_record(&view, format);
        if verbose {
            self.show_vcores(&view, format);
        }
        Ok(())
    }

    fn show_record(&self, view: &ProcessView, format: Format) {
        let it = self.hub.coordinator();
        let pid = view.id.pid;
        let holdings = it.holdings(pid).unwrap_or_default();
        let held_by = held_by(&holdings);
        let lists = LISTS.map(|(list, _)| self.vcores_on(pid, list));
        let handles: Vec<String> =
            it.handles(pid).map(|(handle, it)| format!("{handle}:{}", Shown(it.object))).collect();
        let handles: Vec<Value<'_>> = handles.iter().map(|it| it.as_str().into()).collect();
        let regions: Vec<String> =
            it.regions(pid).map(|region| format!("{}", Region(region))).collect();
        let regions: Vec<Value<'_>> = regions.iter().map(|it| it.as_str().into()).collect();
        let children: Vec<Value<'_>> =
            it.children(pid).map(|child| u64::from(child.id.pid.0).into()).collect();
        let cores = |count: u16| if view.many { u64::from(count).into() } else { Value::None };
        let root = it.root(view.id).unwrap_or(0);
        let huge = self.hub.programs().map_or(0, |programs| programs.huge_blocks(root).1);
        let first = [
            ("pid", Value::from(u64::from(pid.0))),
            ("name", view.name.as_str().into()),
            ("user", it.user(pid).map(monitor::User::as_str).into()),
            ("state", view.state.name().into()),
            ("parent", view.parent.map(|parent| u64::from(parent.pid.0)).into()),
            ("many_core", Value::Bool(view.many)),
            ("ready", Value::Bool(is_ready(root))),
            ("held_by", Value::Map(&held_by)),
            ("root", Value::Hex(root)),
        ];
        let of_lists = core::array::from_fn::<_, { LISTS.len() }, _>(|at| {
            let shown = if view.many { Value::List(&lists[at]) } else { Value::None };
            (LISTS[at].1, shown)
        });
        let rest = [
            ("wanted", cores(view.wanted)),
            ("granted", cores(view.granted)),
            ("handles", Value::List(&handles)),
            ("children", Value::List(&children)),
            ("regions", Value::List(&regions)),
            ("frames", u64::from(view.frames).into()),
            ("huge_pages", u64::from(huge).into()),
            ("online_us", micros(self.time_online(view)).into()),
        ];
        let _ = record(&mut uart::Writer, format, &[&first[..], &of_lists, &rest].concat());
    }

    fn vcores_on(&self, pid: Pid, list: Place) -> Vec<Value<'static>> {
        let vcores = self.hub.coordinator().vcores_on(pid, list);
        vcores.map(|vcore| u64::from(vcore.0).into()).collect()
    }

    /// Clock ticks that all vcores together have spent on cores.
    fn time_online(&self, view: &ProcessView) -> u64 {
        let (it, now) = (self.hub.coordinator(), cpu::now());
        let ticks = |vcore| it.time_online(view.id.pid, VcoreId(vcore), now);
        (0..).map_while(ticks).fold(0, u64::saturating_add)
    }

    /// A row for each vcore that has ever had a core or waits for one, and for each single-core process.
    fn show_vcores(&self, view: &ProcessView, format: Format) {
        let columns = [
            number("vcore", 5),
            text("list", 9),
            number("core", 4),
            number("online_us", 10),
            text("stopped_in", 10),
            text("calls", 0),
        ];
        let table = Table::new(format, columns);
        let _ = table.heading(&mut uart::Writer);
        let (it, pid, now) = (self.hub.coordinator(), view.id.pid, cpu::now());
        for vcore in (0..).map(VcoreId) {
            let Some(ticks) = it.time_online(pid, vcore, now) else { break };
            let (place, core) = match it.vcore(pid, vcore) {
                Some(vcore) => (Some(vcore.place), vcore.core),
                None => (None, it.cores_of(pid).next()),
            };
            if ticks == 0 && place == Some(Place::Inactive) {
                continue;
            }
            let list = LISTS.iter().find(|(list, _)| Some(*list) == place).map(|(_, name)| *name);
            let stopped = self.stopped(view, vcore, place);
            let calls = stopped.map_or(Vec::new(), |(context, _)| self.calls(view, &context));
            let _ = table.row(
                &mut uart::Writer,
                [
                    u64::from(vcore.0).into(),
                    list.into(),
                    core.map(|core| u64::from(core.0)).into(),
                    micros(ticks).into(),
                    stopped.map(|(_, kind)| kind).into(),
                    Value::List(&calls),
                ],
            );
        }
    }

    /// The registers of a vcore that does not run, and whether it was stopped in a thread or in vcore context.
    fn stopped(
        &self,
        view: &ProcessView,
        vcore: VcoreId,
        place: Option<Place>,
    ) -> Option<(Context, &'static str)> {
        let root = self.hub.coordinator().root(view.id)?;
        let page = vcore_page(root, vcore)?;
        let in_vcore_context = page.byte(data::IN_VCORE_CONTEXT) != 0;
        let kind = if in_vcore_context { "vcore" } else { "thread" };
        let context = match place {
            None => {
                let lease = self.cpu.node.driver().lease();
                let is_here = |lease: Lease| {
                    (lease.pid, lease.generation) == (view.id.pid, view.id.generation)
                };
                // While the console works, what this core runs stands still.
                if lease.is_some_and(is_here) {
                    user::context()
                } else {
                    saved_page(root)?.context(data::VCORE)
                }
            }
            Some(Place::Preempted | Place::Inactive) if in_vcore_context => {
                page.context(data::VCORE)
            }
            Some(Place::Preempted | Place::Inactive) => page.context(data::THREAD),
            Some(Place::Online | Place::Leaving | Place::Saving) => return None,
        };
        (context.registers.rip != 0).then_some((context, kind))
    }

    /// Where stopped registers are, and the calls that they are in, innermost first.
    fn calls(&self, view: &ProcessView, context: &Context) -> Vec<Value<'static>> {
        let registers = &context.registers;
        let root = self.hub.coordinator().root(view.id);
        let read = |at| {
            let (root, programs) = (root?, self.hub.programs()?);
            let mut bytes = [0; 16];
            let whole = programs.read(root, at, &mut bytes) == bytes.len();
            let word = |from: usize| u64::from_le_bytes(core::array::from_fn(|n| bytes[from + n]));
            whole.then(|| [word(0), word(8)])
        };
        backtrace(registers.rip, registers.rbp, read).map(Value::Hex).collect()
    }
}

/// Can vcore 0 of the process be entered?
fn is_ready(root: u64) -> bool {
    vcore_page(root, VcoreId(0)).is_some_and(|page| page.byte(data::READY) != 0)
}

fn held_by(it: &Holdings) -> [(&'static str, Value<'static>); 8] {
    [
        ("leases", it.leases),
        ("lost", it.lost),
        ("waiters", it.waiters),
        ("alarms", it.alarms),
        ("children", it.children),
        ("ended_children", it.ended_children),
        ("handles", it.handles),
        ("provisioned", it.provisioned),
    ]
    .map(|(name, count)| (name, Value::from(count as u64)))
}

/// What a handle stands for, in one word.
pub(super) struct Shown(pub(super) Object);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Object::Reader(PipeId::KEYBOARD) => f.write_str("keys"),
            Object::Reader(pipe) => write!(f, "read-pipe-{}", pipe.0),
            Object::Writer(pipe) => write!(f, "write-pipe-{}", pipe.0),
            Object::ConsoleOut => f.write_str("console"),
            Object::ConsoleError => f.write_str("errors"),
        }
    }
}

/// A region of memory: its first address, its pages, what may be done with it.
struct Region(RegionView);

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RegionView { range, rights, shared, spacing, .. } = self.0;
        write!(f, "{:#x}+{}:", range.first * PAGE, range.pages)?;
        for (right, letter) in [(Rights::READ, 'r'), (Rights::WRITE, 'w'), (Rights::EXECUTE, 'x')] {
            f.write_char(if rights.include(right) { letter } else { '-' })?;
        }
        if spacing > 0 {
            write!(f, ":guard every {}", 1 << spacing)?;
        }
        f.write_str(if shared { ":shared" } else { "" })
    }
}
