//! Measures rings between two threads of this host: `cargo run --release -p tests --bin rings`.

#![forbid(unsafe_code)]

use anyhow::Result;
use clap::Parser;
use tests::rings::cases::{self, Amounts};
use tests::rings::pair::Pair;
use tests::rings::{report, rounds};

/// Fewer samples of a case in a regime give no row.
const LEAST: usize = 5;

/// Times messages between two pinned threads: the kernel's path, the raw bounce of cache lines, and
/// other queues, interleaved in many short rounds. Numbers are compared only within a regime: how long
/// the raw bounce takes just then.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Rounds; in each, everything is measured once
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(5..=100_000))]
    rounds: u32,
    /// Measures next to nothing: to see that it works
    #[arg(long)]
    quick: bool,
    /// Prints rows as JSON, one object a line, and the progress
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let (amounts, count, least) = match options.quick {
        true => (Amounts::QUICK, 8, 1),
        false => (Amounts::FULL, options.rounds as usize, LEAST),
    };
    let pair = Pair::start()?;
    let cases = cases::all();
    let samples = rounds::collect(&pair, &cases, &amounts, count, least, |done| {
        if options.json && done < count && done % count.div_ceil(50) == 0 {
            println!("{}", serde_json::json!({ "progress": { "done": done, "of": count } }));
        }
    });
    drop(pair);
    let rows = report::rows(&cases, &samples, least);
    if options.json {
        rows.iter().for_each(|row| println!("{}", row.json()));
    } else {
        print!("{}", report::table(&rows));
    }
    Ok(())
}
