//! What `atoll` does without a subcommand: boot, console, verdict.

use crate::machine::{Debugger, Machine, Topology, quoted};
use crate::options::MachineArgs;
use crate::say;
use crate::session::{HINT, Input, Outcome, Session};
use crate::verdict::Verdict;
use anyhow::ensure;
use proto::boot::Clock;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::time::Duration;

/// Options of a boot.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    machine: MachineArgs,
    /// Number of cores [default: 4]
    #[arg(long, value_name = "1..255", value_parser = clap::value_parser!(u16).range(1..=255))]
    cores: Option<u16>,
    /// Cores in sockets and threads, as in sockets=2,cores=2,threads=2 (QEMU's -smp)
    #[arg(long, value_name = "TOPOLOGY", conflicts_with = "cores")]
    smp: Option<Topology>,
    /// Console commands to run after boot, separated by `;`; the guest leaves after the last
    #[arg(long, value_name = "COMMANDS")]
    script: Option<String>,
    /// Ends the guest after this time, with exit status 124
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Waits for gdb before the first instruction: at a socket, or at the TCP port or path given
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "auto")]
    gdb: Option<Debugger>,
    /// Makes a core stay silent when it is started, to see the others go on without it
    #[arg(long, value_name = "CORE")]
    silent_core: Option<u16>,
    /// Lets the guest's clock count instructions, which repeat to the bit (-icount; TCG only)
    #[arg(long)]
    icount: bool,
    /// Prints QEMU's command line and leaves
    #[arg(long)]
    dry_run: bool,
    /// More arguments for QEMU, after `--`
    #[arg(last = true, value_name = "QEMU ARGUMENTS")]
    extra: Vec<OsString>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0);
    let duration = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    duration.ok_or_else(|| "a number of seconds above 0".into())
}

/// Boots as told, again after each `reboot`, and returns the exit status.
///
/// # Errors
///
/// When a tool is missing, the image does not build, QEMU does not start, or options contradict.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    run_machine(args, args.machine()?)
}

/// [`run`] with a machine that these options describe, and that may have more.
pub(crate) fn run_machine(args: &Args, mut machine: Machine) -> anyhow::Result<u8> {
    machine.check()?;
    if args.dry_run {
        println!("{}", machine.command());
        return Ok(0);
    }
    loop {
        let outcome = boot(&machine, args.timeout)?;
        report(&machine, &outcome);
        if outcome.verdict != Verdict::Reboot {
            return Ok(outcome.verdict.status());
        }
        machine.script = machine.script.as_deref().and_then(after_reboot);
    }
}

impl Args {
    /// The machine that these options describe, with all that it needs found, installed or built.
    ///
    /// # Errors
    ///
    /// When a tool is missing, the image does not build, or options contradict.
    pub fn machine(&self) -> anyhow::Result<Machine> {
        let flat = self.cores.map(Topology::flat);
        let topology = self.smp.clone().or(flat).unwrap_or_default();
        if let Some(silent) = self.silent_core {
            let cores = topology.cores();
            ensure!(silent != 0, "--silent-core 0: core 0 is the one that boots");
            ensure!(u32::from(silent) < cores, "--silent-core {silent}: there are {cores} cores");
        }
        let clock = if self.icount { Clock::Count } else { Clock::Time };
        Ok(Machine {
            topology,
            script: self.script.clone(),
            silent_core: self.silent_core,
            debugger: self.gdb.clone(),
            extra: self.extra.clone(),
            ..self.machine.prepare(clock)?
        })
    }
}

fn boot(machine: &Machine, timeout: Option<Duration>) -> anyhow::Result<Outcome> {
    say(&format!("booting {}", machine.summary()));
    if let Some(debugger) = &machine.debugger {
        let image = quoted(&machine.image.to_string_lossy());
        let remote = quoted(&format!("target remote {}", debugger.gdb()));
        say(&format!(
            "waiting for a debugger; type the following, and there `hbreak FUNCTION`, `continue` \
             (a plain `break` writes to memory where the kernel is not mapped yet):\n\n    \
             gdb {image} -ex {remote}\n"
        ));
    }
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        say(HINT);
    }
    let session = Session::new(machine).timeout(timeout).input(Input::Standard);
    let outcome = session.echo(true).forget_lines().run();
    if let Some(Debugger::Socket(path)) = &machine.debugger {
        // QEMU leaves it behind, unless it failed before it made it.
        let _ = std::fs::remove_file(path);
    }
    outcome
}

/// Says how it ended and what it took.
fn report(machine: &Machine, outcome: &Outcome) {
    let Outcome { verdict, silent, complaints, cpu_seconds, wall, .. } = outcome;
    for line in complaints.lines() {
        say(&format!("QEMU: {line}"));
    }
    let at_once = *silent && *verdict == Verdict::TripleFault;
    if at_once {
        say("the guest printed nothing: does the machine suit it, and is it QEMU that was run?");
    }
    if at_once || matches!(verdict, Verdict::Qemu(_)) {
        say(&format!("the command was:\n\n    {}\n", machine.command()));
    }
    let wall = wall.as_secs_f64();
    say(&format!("{verdict}; host CPU {cpu_seconds:.2} s, wall {wall:.1} s"));
}

/// The commands of a script that follow its first `reboot`: they are for the next boot.
fn after_reboot(script: &str) -> Option<String> {
    let mut commands = script.split(';');
    commands.find(|command| command.split_whitespace().next() == Some("reboot"))?;
    let rest = commands.collect::<Vec<_>>().join(";");
    (!rest.trim().is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::{after_reboot, seconds};
    use std::time::Duration;

    #[test]
    fn what_follows_a_reboot_is_for_the_next_boot() {
        let after = |script| after_reboot(script).map(|rest| rest.trim().to_owned());
        assert_eq!(after("cores; reboot; ps; exit 3"), Some("ps; exit 3".into()));
        assert_eq!(after("reboot;reboot;exit"), Some("reboot;exit".into()));
        assert_eq!(after("cores; reboot"), None);
        assert_eq!(after("cores; exit"), None);
    }

    #[test]
    fn timeouts_are_seconds_and_fractions_of_them() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["0", "-1", "nan", "inf", "1e30", "1s", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
