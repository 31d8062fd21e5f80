//! `mem`, `log` and `version`: what the kernel knows of itself.

use super::{Outcome, Shell};
use crate::arch::{heap, smp, time, uart};
use crate::console::output::{Format, Table, Value, number, record, text};
use crate::image::clock;
use crate::log::Line;
use crate::machine::memory::PAGE;
use core::fmt::Write;
use proto::memory::BLOCK;

impl Shell<'_> {
    pub(super) fn memory(&mut self, format: Format) -> Outcome {
        let table = Table::new(
            format,
            [text("memory", 20), number("bytes", 12), number("used", 12), number("peak", 12)],
        );
        let out = &mut uart::Writer;
        let _ = table.heading(out);
        let frames = self.hub.programs().map_or((0, 0), |programs| programs.frames());
        let [free, all] = [frames.0, frames.1].map(|frames| u64::from(frames) * PAGE);
        let bytes = self.boot.memory_bytes;
        let used = bytes.saturating_sub(free);
        let _ = table.row(out, ["physical".into(), bytes.into(), used.into(), Value::None]);
        let _ = table.row(out, ["programs".into(), all.into(), (all - free).into(), Value::None]);
        let huge = self.hub.programs().map_or(0, |programs| programs.huge_blocks(0).0);
        let huge = u64::from(huge) * u64::from(BLOCK) * PAGE;
        let _ = table.row(out, ["in huge pages".into(), Value::None, huge.into(), Value::None]);
        let mut arena = |name: Value<'_>, stats: heap::Stats| {
            let (bytes, used, peak) = (stats.size as u64, stats.used as u64, stats.peak as u64);
            let _ = table.row(out, [name, bytes.into(), used.into(), peak.into()]);
        };
        arena("coordinator".into(), heap::coordinator_stats());
        for core in self.all_cores() {
            arena(Value::Args(format_args!("core {core}")), heap::stats(core));
        }
        Ok(())
    }

    pub(super) fn version(&mut self, format: Format) -> Outcome {
        let _ = record(
            &mut uart::Writer,
            format,
            &[
                ("atoll", Value::from(env!("CARGO_PKG_VERSION"))),
                ("cores", Value::from(smp::count() as u64)),
                ("memory_mib", Value::from(self.boot.memory_bytes >> 20)),
                ("clock_hz", Value::from(time::tsc_hz())),
                ("clock", Value::from(self.ticks().unit())),
                ("features", Value::Args(format_args!("{:?}", self.boot.features))),
            ],
        );
        Ok(())
    }
}

pub(super) fn log_line(line: &Line<'_>, format: Format) {
    let out = &mut uart::Writer;
    let seconds = Value::Fixed { scaled: clock::micros(line.stamp).into(), decimals: 6 };
    let _ = match format {
        Format::Text => writeln!(out, "[{seconds}] {}", line.text),
        Format::Json => record(out, format, &[("seconds", seconds), ("text", line.text.into())]),
    };
}
