//! The table of commands.

use super::super::script::statements;
use super::args::Args;
use super::error::Problem;
use super::processes::{self, PIDS};
use super::{Command, Prints, Spec, UsageError, experiments, inspect, parse, shootdown};
use proto::exit::MAX_USER_CODE;
use proto::id::Pid;

/// All commands, in the order in which `help` lists them.
pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "help",
        arguments: "[COMMAND]",
        summary: "explains a command, or lists all",
        details: "\
Several commands can stand on a line, separated by `;`. A `#` begins a comment.
Keys are those of readline; Tab completes names.",
        prints: Prints::Results,
        parse: parse_help,
    },
    Spec {
        name: "cores",
        arguments: "[CORE]",
        summary: "shows the cores: states, messages, doorbells, halts",
        details: "\
States: starting; online; halted (online, and asleep until a doorbell rings);
silent (no answer in time); failed (panicked, or could not be started); stopped
(by `stop`); absent (in the firmware's list, but not usable). For one core also
the phases of its start, its lease and what it still has to answer.",
        prints: Prints::Results,
        parse: |args| Ok(Command::Cores { core: args.optional_core()? }),
    },
    Spec {
        name: "ping",
        arguments: "CORE [N]",
        summary: "measures N round trips to a core and back",
        details: "N is 1 if not given. The core may sleep: then waking it is part of the time.",
        prints: Prints::Results,
        parse: |args| {
            let core = args.core()?;
            let count = args.optional_number("N", 1..=1_000_000)?.unwrap_or(1);
            Ok(Command::Ping { core, count })
        },
    },
    Spec {
        name: "bench",
        arguments: "[NAME...] [--cores LIST] [--rounds N] [--warmup N] [--strategy WAYS]",
        summary: "runs experiments, all of them if none is named",
        details: "\
LIST names the cores that may take part, such as 1,3-5; WAYS the ways of `shootdown`
that the experiment of that name measures, such as unicast,package:8.",
        prints: Prints::Results,
        parse: experiments::parse,
    },
    Spec {
        name: "run",
        arguments: "NAME [ARGUMENT...] [&]",
        summary: "runs a program, and waits for its end unless `&` follows",
        details: "\
Arguments are separated by blanks. Ctrl-C ends the program, other keys are its
input. An exit code that is not 0 counts as a failure of the command.",
        prints: Prints::Nothing,
        parse: processes::parse_run,
    },
    Spec {
        name: "storm",
        arguments: "[--seed N] [--every TICKS] [--runs N] NAME [ARGUMENT...]",
        summary: "runs a program while cores are taken from it at random",
        details: "\
For many-core programs, and such as run some. Prints how many vcores were
stopped, and of them: in vcore context, with the scheduler's lock held, and
while something that was stopped before had not been recovered. TICKS of the
clock lie between two preemptions on average, 20000 if not given. The seed, 1
if not given, chooses moments and cores. With --runs the program runs so
often, each time with the next seed, and the numbers are the sums.",
        prints: Prints::Nothing,
        parse: processes::parse_storm,
    },
    Spec {
        name: "soak",
        arguments: "[--seed N] [--rounds N] [--seconds SECONDS]",
        summary: "does things to many processes at random, and checks that all holds",
        details: "\
In each round programs are run that verify their results, and killed; cores are
taken, given a right to, stopped and started; events are posted. Then all that
lives comes to its end, and all that `check` looks at must hold. One round if
nothing is given; what was wrong counts as a failure.",
        prints: Prints::Nothing,
        parse: processes::parse_soak,
    },
    Spec {
        name: "programs",
        arguments: "",
        summary: "lists the programs that can be run",
        details: "The host tool adds your own to them: `cargo run -- --program FILE`.",
        prints: Prints::Results,
        parse: |_| Ok(Command::Programs),
    },
    Spec {
        name: "ps",
        arguments: "",
        summary: "lists the processes",
        details: "",
        prints: Prints::Results,
        parse: |_| Ok(Command::Processes),
    },
    Spec {
        name: "pip",
        arguments: "PID [v]",
        summary: "shows what a process is doing and what holds it",
        details: "\
With `v` also where each vcore is, how long it has been on cores, and for those that
do not run the addresses of the calls that they are in.",
        prints: Prints::Results,
        parse: inspect::parse_pip,
    },
    Spec {
        name: "strace",
        arguments: "[-f] NAME|PID [ARGUMENT...]",
        summary: "runs a program, or watches a process, and shows its system calls",
        details: "\
A line when a call is made (>) and one when it is over (<), with its result. -f shows
those of its children too. --json stands before NAME. The program never waits for what
is shown: how much was left out is told at the end. Ctrl-C ends the trace, and the
program if this ran it.",
        prints: Prints::Results,
        parse: inspect::parse_strace,
    },
    Spec {
        name: "waiters",
        arguments: "[PID]",
        summary: "shows which calls wait for what, and what cores have not answered",
        details: "",
        prints: Prints::Results,
        parse: |args| Ok(Command::Waiters { pid: args.optional_number("PID", PIDS)?.map(Pid) }),
    },
    Spec {
        name: "prov",
        arguments: "[PID LIST]",
        summary: "shows who has a right to which core, or gives a process the right",
        details: "LIST names cores, such as 1,3-5. PID 0 takes the right to them away. -s shows.",
        prints: Prints::Results,
        parse: inspect::parse_prov,
    },
    Spec {
        name: "preempt",
        arguments: "PID [CORE] [--warn SECONDS]",
        summary: "takes a core from a many-core process, or all that it has",
        details: "With --warn the process is told so long before.",
        prints: Prints::Nothing,
        parse: inspect::parse_preempt,
    },
    Spec {
        name: "measure",
        arguments: "OPERATION PID",
        summary: "shows how long it takes to end a process, or to take its cores",
        details: "\
OPERATION is kill (until it is off all cores), preempt (until all of its cores have
let go) or preempt-warn (the same, 10 ms after it was told).",
        prints: Prints::Results,
        parse: inspect::parse_measure,
    },
    Spec {
        name: "check",
        arguments: "",
        summary: "checks that all invariants hold",
        details: "One that doesn't counts as a failure.",
        prints: Prints::Results,
        parse: |_| Ok(Command::Check),
    },
    Spec {
        name: "shootdown",
        arguments: "[WAY|plan|flush] [N]",
        summary: "chooses how cores are told to flush",
        details: "\
WAY is unicast (the coordinator tells each core), tree (one, which tells others
and so on), package or package:CORES (a tree in each), latency (a tree in each group
of cores that answer equally fast, the farthest first) or eager (unicast, also when
rights are added). `plan` says who would tell whom, of N cores or of all. `flush` has
cores flush up to N pages one by one, and more all together, or says how many.",
        prints: Prints::Results,
        parse: shootdown::parse,
    },
    Spec {
        name: "selftest",
        arguments: "shootdown",
        summary: "shows that cores use no stale translation",
        details: "\
First that they do if nobody tells them that a right was taken away, then that they
do not if they are told, in each way. Where the first cannot be shown, because this
machine forgets translations by itself, it is inconclusive; only what has passed is
no failure. Of rights that are added nobody is told: who still has the old translation
faults and goes on, which is inconclusive, and no failure, where processors look pages
up anew instead. The line of `bench shootdown` carries no change of a page and is not
tested.",
        prints: Prints::Results,
        parse: shootdown::parse_selftest,
    },
    Spec {
        name: "kill",
        arguments: "[-N] PID",
        summary: "ends a process, or sends it the signal N",
        details: "A signal is an event that the program may look for; by itself it does nothing.",
        prints: Prints::Nothing,
        parse: processes::parse_kill,
    },
    Spec {
        name: "wait",
        arguments: "[PID]",
        summary: "waits until a process that was run with `&` has ended, or all have",
        details: "Ctrl-C ends the wait. An exit code that is not 0 counts as a failure.",
        prints: Prints::Nothing,
        parse: |args| Ok(Command::Wait { pid: args.optional_number("PID", PIDS)?.map(Pid) }),
    },
    Spec {
        name: "notify",
        arguments: "PID EVENT [VALUE]",
        summary: "posts an event to a process",
        details: "EVENT is the number of the event's kind.",
        prints: Prints::Nothing,
        parse: processes::parse_notify,
    },
    Spec {
        name: "mem",
        arguments: "",
        summary: "shows the memory of the machine and of each heap",
        details: "",
        prints: Prints::Results,
        parse: |_| Ok(Command::Mem),
    },
    Spec {
        name: "log",
        arguments: "[N]",
        summary: "shows the kernel's log, or its last N lines",
        details: "The log keeps the latest lines, as far as they fit; the oldest go first.",
        prints: Prints::Results,
        parse: |args| Ok(Command::Log { lines: args.optional_number("N", 1..=1_000_000)? }),
    },
    Spec {
        name: "bt",
        arguments: "CORE",
        summary: "shows what a core is doing: its registers and its calls",
        details: "Asks by message first, and by NMI if the core doesn't answer.",
        prints: Prints::Results,
        parse: |args| Ok(Command::Backtrace { core: args.core()? }),
    },
    Spec {
        name: "panic",
        arguments: "CORE",
        summary: "makes a core panic, to see that the others go on",
        details: "On core 0, which runs the console, it stops the machine with status 101.",
        prints: Prints::Nothing,
        parse: |args| Ok(Command::Panic { core: args.core()? }),
    },
    Spec {
        name: "hang",
        arguments: "CORE",
        summary: "makes a core spin with interrupts off, to see it noticed",
        details: "Not core 0, which would have to notice. `start` brings the core back.",
        prints: Prints::Nothing,
        parse: |args| Ok(Command::Hang { core: args.other_core()? }),
    },
    Spec {
        name: "stop",
        arguments: "CORE",
        summary: "parks a core",
        details: "Not core 0, which runs the console.",
        prints: Prints::Results,
        parse: |args| Ok(Command::Stop { core: args.other_core()? }),
    },
    Spec {
        name: "start",
        arguments: "CORE",
        summary: "starts a core that is stopped, failed or silent",
        details: "The core is reset (INIT) and comes up as it did when the machine was started.",
        prints: Prints::Results,
        parse: |args| Ok(Command::Start { core: args.other_core()? }),
    },
    Spec {
        name: "sleep",
        arguments: "SECONDS",
        summary: "waits, for example 0.5",
        details: "Up to a day, with up to six decimals. Ctrl-C ends it.",
        prints: Prints::Nothing,
        parse: |args| Ok(Command::Sleep(args.seconds()?)),
    },
    #[cfg(feature = "probes")]
    Spec {
        name: "probe",
        arguments: "delay POINT CORE | await | go | clear | show",
        summary: "holds cores up at points, and shows what crossed",
        details: "\
The test build has it. delay makes the core stand still when it next comes to the
point, await waits until all that were told to do, and go lets them go on. show
prints how often each crossing was met since clear.",
        prints: Prints::Nothing,
        parse: super::probe::parse,
    },
    Spec {
        name: "echo",
        arguments: "[TEXT]",
        summary: "prints a text",
        details: "The text ends at a `;` or at a word that begins with `#`.",
        prints: Prints::Nothing,
        parse: |args| Ok(Command::Echo(args.rest())),
    },
    Spec {
        name: "repeat",
        arguments: "N COMMAND",
        summary: "runs a command N times",
        details: "Or several: `repeat 1000 { stop 1; start 1 }`. Not one inside another.",
        prints: Prints::Nothing,
        parse: parse_repeat,
    },
    Spec {
        name: "version",
        arguments: "",
        summary: "shows which kernel this is, and on which machine",
        details: "",
        prints: Prints::Results,
        parse: |_| Ok(Command::Version),
    },
    Spec {
        name: "reboot",
        arguments: "",
        summary: "restarts the machine",
        details: "",
        prints: Prints::Nothing,
        parse: |_| Ok(Command::Reboot),
    },
    Spec {
        name: "exit",
        arguments: "[CODE]",
        summary: "switches the machine off; CODE (0 to 99) is the host tool's status",
        details: "Without CODE: 0 if every command of the script so far has succeeded, else 1.",
        prints: Prints::Nothing,
        parse: |args| {
            let code = args.optional_number("CODE", 0..=MAX_USER_CODE)?;
            Ok(Command::Exit { code })
        },
    },
];

fn parse_help<'a>(args: &mut Args<'a>) -> Result<Command<'a>, UsageError<'a>> {
    let Some(name) = args.word()? else { return Ok(Command::Help { topic: None }) };
    match Spec::find(name) {
        Some(spec) => Ok(Command::Help { topic: Some(spec.name) }),
        None => Err(super::unknown_command(name)),
    }
}

fn parse_repeat<'a>(args: &mut Args<'a>) -> Result<Command<'a>, UsageError<'a>> {
    let times = args.number("N", 1..=1_000_000)?;
    let rest = args.rest();
    let body = match rest.strip_prefix('{') {
        Some(group) => group.strip_suffix('}').ok_or_else(|| args.error(Problem::Unclosed))?.trim(),
        None => rest,
    };
    if statements(body).next().is_none() {
        return Err(args.error(Problem::Missing("COMMAND")));
    }
    for statement in statements(body) {
        // Looked at before it is parsed, so that parsing is never more than two levels deep.
        if statement.split_whitespace().next() == Some("repeat") {
            return Err(args.error(Problem::Nested));
        }
        parse(statement)?;
    }
    Ok(Command::Repeat { times, body })
}
