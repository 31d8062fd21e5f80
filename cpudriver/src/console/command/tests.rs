//! What is understood, and what is said about the rest.

extern crate std;
use super::{
    Bench, COMMANDS, Command, EXPERIMENTS, ExperimentSet, Measured, Request, Spec, Traced, Way,
    Ways, complete, parse, write_help,
};
use crate::console::core_list;
use crate::console::line::MAX_LINE;
use crate::console::output::Format;
use crate::console::script::statements;
use core::time::Duration;
use proptest::prelude::*;
use proto::id::{CoreId, Pid};
use std::borrow::ToOwned;
use std::string::{String, ToString};
use std::vec::Vec;

fn command(statement: &str) -> Command<'_> {
    match parse(statement) {
        Ok(Some(request)) => request.command,
        other => panic!("{statement:?}: {other:?}"),
    }
}

fn error(statement: &str) -> String {
    parse(statement).map(|request| std::format!("{request:?}")).unwrap_err().to_string()
}

#[test]
fn blank_statements_and_comments_are_no_command() {
    for statement in ["", "  \t", "# mem", "#"] {
        assert_eq!(parse(statement).unwrap(), None);
    }
}

#[test]
fn arguments_are_read() {
    assert_eq!(command("help ping"), Command::Help { topic: Some("ping") });
    assert_eq!(command(" cores "), Command::Cores { core: None });
    assert_eq!(command("cores 255"), Command::Cores { core: Some(CoreId(255)) });
    assert_eq!(command("ping 3"), Command::Ping { core: CoreId(3), count: 1 });
    assert_eq!(command("ping\t3  1_000"), Command::Ping { core: CoreId(3), count: 1000 });
    assert_eq!(command("log 10"), Command::Log { lines: Some(10) });
    assert_eq!(command("panic 0"), Command::Panic { core: CoreId(0) });
    assert_eq!(command("exit"), Command::Exit { code: None });
    assert_eq!(command("exit 99"), Command::Exit { code: Some(99) });
    assert_eq!(command("echo  a --json  b"), Command::Echo("a --json  b"));
}

#[test]
fn seconds_may_have_decimals() {
    let micros = |micros| Command::Sleep(Duration::from_micros(micros));
    assert_eq!(command("sleep 2"), micros(2_000_000));
    assert_eq!(command("sleep 0.5"), micros(500_000));
    assert_eq!(command("sleep .000001"), micros(1));
    assert_eq!(command("sleep 86400."), micros(86_400_000_000));
    for wrong in ["", "-1", ".", "1.2.3", "0.0000001", "86400.000001", "1e3", "+1", "1.+1", "１"] {
        assert!(error(&std::format!("sleep {wrong}")).contains("SECONDS"), "{wrong:?}");
    }
}

#[test]
fn json_may_stand_anywhere_after_a_command_that_prints() {
    for statement in ["ping 1 5 --json", "ping --json 1 5", "ping 1 --json 5"] {
        let command = Command::Ping { core: CoreId(1), count: 5 };
        assert_eq!(parse(statement).unwrap(), Some(Request { command, format: Format::Json }));
    }
    assert!(error("sleep 1 --json").starts_with("sleep: unknown option `--json`\n"));
}

#[test]
fn experiments_and_their_options_are_read() {
    let bench = |statement| match command(statement) {
        Command::Bench(bench) => bench,
        other => panic!("{other:?}"),
    };
    assert_eq!(bench("bench"), Bench { experiments: ExperimentSet::all(), ..Bench::default() });
    let all: Vec<_> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
    assert_eq!(bench("bench").experiments.names().collect::<Vec<_>>(), all);
    let some = bench("bench poll-cost --rounds 9 message-cost --cores 1,3-4 --warmup 0 --json");
    assert_eq!(some.experiments.names().collect::<Vec<_>>(), ["message-cost", "poll-cost"]);
    assert_eq!((some.rounds, some.warmup), (Some(9), Some(0)));
    assert_eq!(some.cores, core_list::parse("1,3,4"));
    assert_eq!(some.ways, Ways::default());
    let some = bench("bench shootdown --strategy latency,tree");
    assert!(some.ways.all().eq([Way::Latency, Way::Tree]));
    assert!(error("bench --strategy tree,unicats").contains("did you mean `unicast`?"));
    assert!(error("bench message").contains("did you mean `message-cost`?"));
    assert!(error("bench xyz").contains("`help bench` lists all"));
    assert!(error("bench --cores").contains("LIST is missing"));
    assert!(error("bench --cores 4-1").contains("LIST must be a list of cores"));
    assert!(error("bench --fast").contains("unknown option `--fast`"));
}

#[test]
fn a_mistake_is_named_and_the_usage_given() {
    assert_eq!(error("ping"), "ping: CORE is missing\nusage: ping CORE [N] [--json]");
    assert_eq!(
        error("exit 100"),
        "exit: CODE must be a number from 0 to 99, not `100`\nusage: exit [CODE]"
    );
    assert!(error("stop 0").contains("CORE must be a number from 1 to 255, not `0`"));
    assert!(error("cores x").contains("CORE must be a number from 0 to 255, not `x`"));
    assert!(error("ping 1 0").contains("N must be a number from 1 to 1000000, not `0`"));
    assert!(error("mem 5").starts_with("mem: `5` is one argument too many\n"));
    for wrong in ["_", "_1", "-1", "99999999999999999999", "0x1", "+1"] {
        assert!(error(&std::format!("cores {wrong}")).contains("CORE must be"), "{wrong:?}");
    }
}

#[test]
fn an_unknown_command_suggests_the_nearest() {
    assert_eq!(error("pnig 1"), "unknown command `pnig`; did you mean `ping`?");
    assert_eq!(error("core"), "unknown command `core`; did you mean `cores`?");
    assert_eq!(error("frobnicate"), "unknown command `frobnicate`; `help` lists all");
    assert_eq!(error("help pnig"), "unknown command `pnig`; did you mean `ping`?");
}

#[test]
fn what_was_typed_is_shown_harmlessly() {
    assert_eq!(error("\u{1b}[2J"), "unknown command `\\u{1b}[2J`; `help` lists all");
    assert!(error(&"x".repeat(MAX_LINE)).len() < 100);
}

#[test]
fn one_command_or_a_group_is_repeated() {
    assert_eq!(command("repeat 2 mem"), Command::Repeat { times: 2, body: "mem" });
    let Command::Repeat { times: 1_000, body } = command("repeat 1000 { stop 1; start 1 }") else {
        panic!("not a repeat")
    };
    assert_eq!(statements(body).collect::<Vec<_>>(), ["stop 1", "start 1"]);
}

#[test]
fn a_program_runs_with_its_arguments_in_front_or_behind_the_console() {
    let run = |name, arguments, background| Command::Run { name, arguments, background };
    assert_eq!(command("run hello"), run("hello", "", false));
    assert_eq!(command("run args one  two &"), run("args", "one  two", true));
    assert_eq!(command("run hello&"), run("hello", "", true));
    assert_eq!(command("run hello --json"), run("hello", "--json", false), "it is the program's");
    assert!(error("run").contains("NAME is missing"));
    assert!(error("run &").contains("NAME is missing"));
}

#[test]
fn a_process_is_ended_or_gets_a_signal() {
    assert_eq!(command("kill 3"), Command::Kill { pid: Pid(3), signal: None });
    assert_eq!(command("kill -15 3"), Command::Kill { pid: Pid(3), signal: Some(15) });
    assert!(error("kill").contains("PID is missing"));
    assert!(error("kill -15").contains("PID is missing"));
    assert!(error("kill -0 3").contains("N must be a number from 1"));
    assert!(error("kill 0").contains("PID must be a number from 1"));
}

#[test]
fn a_process_is_looked_at() {
    assert_eq!(command("pip 3"), Command::Process { pid: Pid(3), verbose: false });
    assert_eq!(command("pip 3 v"), Command::Process { pid: Pid(3), verbose: true });
    assert!(error("pip 3 w").contains("v must be `v`"), "{}", error("pip 3 w"));
    assert!(error("pip 3 v v").contains("one argument too many"));
}

#[test]
fn calls_of_a_program_or_of_a_process_are_traced() {
    let strace = |traced, follow| Command::Strace { traced, follow };
    let program = |name, arguments| Traced::Program { name, arguments };
    assert_eq!(command("strace hello"), strace(program("hello", ""), false));
    assert_eq!(command("strace -f spawn 1  -f"), strace(program("spawn", "1  -f"), true));
    assert_eq!(command("strace -f 12"), strace(Traced::Process(Pid(12)), true));
    let json = parse("strace --json hello --json").unwrap().unwrap();
    assert_eq!(json.command, strace(program("hello", "--json"), false));
    assert_eq!(json.format, Format::Json);
    assert!(error("strace -f").contains("NAME is missing"));
    assert!(error("strace 0").contains("PID must be"));
    assert!(error("strace 12 1").contains("one argument too many"));
}

#[test]
fn cores_of_processes_are_given_and_taken() {
    let cores = core_list::parse("1,3").unwrap();
    assert_eq!(command("prov"), Command::Provisioned);
    assert_eq!(command("prov -s"), Command::Provisioned);
    assert_eq!(command("prov 3 1,3"), Command::Provision { pid: Some(Pid(3)), cores });
    assert_eq!(command("prov 0 1,3"), Command::Provision { pid: None, cores });
    let preempt = |core, warning| Command::Preempt { pid: Pid(3), core, warning };
    assert_eq!(command("preempt 3"), preempt(None, None));
    let warning = Some(Duration::from_millis(10));
    assert_eq!(command("preempt 3 --warn 0.01 2"), preempt(Some(CoreId(2)), warning));
    assert!(error("preempt 3 0").contains("CORE must be a number from 1"));
    assert!(error("preempt 3 1 2").contains("one argument too many"));
    assert!(error("preempt 3 --fast").contains("unknown option"));
    let what = Measured::PreemptWarn;
    assert_eq!(command("measure preempt-warn 3"), Command::Measure { what, pid: Pid(3) });
    assert!(error("measure stop 3").contains("OPERATION must be kill, preempt or preempt-warn"));
    assert_eq!(command("waiters 3"), Command::Waiters { pid: Some(Pid(3)) });
}

#[test]
fn what_is_repeated_is_checked_at_once() {
    assert!(error("repeat 2").contains("COMMAND is missing"));
    assert!(error("repeat 2 { ; }").contains("COMMAND is missing"));
    assert!(error("repeat 2 { mem").contains("the closing } is missing"));
    assert!(error("repeat 0 mem").contains("N must be a number from 1"));
    assert!(error("repeat 2 { mem; stop }").starts_with("stop: CORE is missing\nusage: stop"));
    assert!(error("repeat 2 repeat 2 mem").contains("inside another"));
    assert!(error(&"repeat 1 ".repeat(100_000)).contains("inside another"));
}

/// The usage of a command with its placeholders filled in.
fn example(spec: &Spec) -> String {
    let words = [
        ("OPERATION", "kill"),
        ("COMMAND", "mem"),
        ("CORE", "1"),
        ("WAYS", "tree,package:2"),
        ("WAY|plan|flush", "plan"),
        ("NAME...", "poll-cost bring-up"),
        ("NAME", "hello"),
        ("ARGUMENT...", "one two"),
        ("PID", "12"),
        ("EVENT", "13"),
        ("TICKS", "500"),
        ("VALUE", "9"),
        ("LIST", "1-2"),
        ("SECONDS", "0.5"),
        ("TEXT", "hello"),
        ("CODE", "3"),
        ("N", "7"),
    ];
    let mut example = spec.usage().to_string();
    for (placeholder, word) in words {
        example = example.replace(placeholder, word);
    }
    example
}

#[test]
fn every_usage_is_understood_with_and_without_what_is_optional() {
    for spec in COMMANDS {
        let full = example(spec);
        command(&full.replace(['[', ']'], ""));
        let mut short = full.clone();
        while let Some((before, (_, after))) =
            short.split_once('[').and_then(|(b, rest)| Some((b, rest.split_once(']')?)))
        {
            short = before.to_owned() + after;
        }
        command(&short);
    }
}

#[test]
fn every_command_is_described_in_short_lines_and_once() {
    for (at, spec) in COMMANDS.iter().enumerate() {
        assert!(COMMANDS[..at].iter().all(|other| other.name != spec.name), "{}", spec.name);
        assert!(!spec.summary.is_empty() && !spec.summary.ends_with('.'), "{}", spec.name);
        assert!(spec.name.len() < 10, "{} is too long for the list", spec.name);
        let mut help = String::new();
        write_help(&mut help, Some(spec.name), Format::Text).unwrap();
        assert!(help.starts_with("usage: "));
        assert!(help.lines().all(|line| line.len() <= 90), "{help}");
    }
}

#[test]
fn help_lists_all_commands() {
    let mut help = String::new();
    write_help(&mut help, None, Format::Text).unwrap();
    assert_eq!(help.lines().count(), COMMANDS.len() + 1);
    assert!(help.lines().all(|line| line.len() <= 90), "{help}");
    let mut json = String::new();
    write_help(&mut json, None, Format::Json).unwrap();
    for (line, spec) in json.lines().zip(COMMANDS) {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["command"], spec.name);
        assert_eq!(row["usage"], spec.usage().to_string());
    }
}

#[test]
fn names_are_completed_where_they_can_stand() {
    let words = |before| {
        let mut words = Vec::new();
        complete(before, &mut |word| words.push(word.to_owned()));
        words
    };
    for before in ["", "co", "mem; ", "mem;", "help pi", "repeat 5 st", "repeat 5 {st", "{ a; b"] {
        assert!(words(before).contains(&"start".to_owned()), "{before:?}");
    }
    assert!(words("bench ring-latency pol").contains(&"poll-cost".to_owned()));
    assert_eq!(words("cores "), ["--json"]);
    assert_eq!(words("sleep "), [""; 0]);
}

proptest! {
    #[test]
    fn any_text_is_a_command_or_an_error_that_can_be_shown(bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes);
        for statement in statements(&text) {
            let _ = parse(statement).map_err(|error| error.to_string());
        }
    }

    #[test]
    fn so_is_any_text_that_looks_like_one(
        name in prop::sample::select(COMMANDS.iter().map(|spec| spec.name).collect::<Vec<_>>()),
        rest in "[-a-z0-9 ,.{};#_é]{0,40}",
    ) {
        for statement in statements(&std::format!("{name} {rest}")) {
            let _ = parse(statement).map_err(|error| error.to_string());
        }
    }
}
