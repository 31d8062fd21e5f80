//! First tier: the image boots on every machine with every core, and its end is told.

use boot::verdict::Verdict;
use std::time::Duration;
use tests::guest::{Guest, Run};

/// Asserts that the machine has so many cores and that all of them serve.
#[track_caller]
fn all_serve(guest: Guest, cores: usize) {
    let run = guest.script("cores --json; exit").run();
    run.exited(0);
    assert_states(&run, &vec!["serves"; cores]);
}

/// Asserts the state of each core, in order; `serves` stands for online or halted.
#[track_caller]
fn assert_states(run: &Run, expected: &[&str]) {
    let rows = run.json();
    let states = rows.iter().filter(|row| row["core"].is_u64()).map(|row| {
        let state = row["state"].as_str().unwrap_or("none");
        if ["online", "halted"].contains(&state) { "serves" } else { state }
    });
    let states: Vec<_> = states.collect();
    let differ = states.iter().zip(expected).enumerate().filter(|(_, (a, b))| a != b);
    let differ: Vec<_> = differ.map(|(core, (state, _))| format!("core {core} {state}")).collect();
    let numbers = format!("{} cores of {}; {}", states.len(), expected.len(), differ.join(", "));
    run.check(states == expected, &numbers);
}

#[test]
fn the_first_line_names_the_kernel_and_its_version() {
    let run = Guest::new().script("exit").run();
    let first = run.exited(0).outcome.lines.first().cloned().unwrap_or_default();
    run.check(first.starts_with(concat!("Atoll ", env!("CARGO_PKG_VERSION"), ":")), "first line");
}

#[test]
fn every_number_of_cores_comes_up_on_microvm() {
    for cores in [1, 2, 3, 4, 5, 7, 8] {
        all_serve(Guest::new().cores(cores), cores.into());
    }
}

#[test]
fn sixty_four_cores_come_up_on_microvm() {
    all_serve(Guest::new().cores(64), 64);
}

#[test]
fn two_hundred_and_fifty_five_cores_come_up_on_microvm() {
    all_serve(Guest::new().cores(255), 255);
}

#[test]
fn the_cores_of_a_pc_come_up() {
    for cores in [1, 4] {
        all_serve(Guest::new().machine("pc").cores(cores), cores.into());
    }
}

#[test]
fn the_cores_of_a_q35_come_up() {
    for cores in [1, 4, 64] {
        all_serve(Guest::new().machine("q35").cores(cores), cores.into());
    }
}

#[test]
fn hardware_threads_and_sockets_are_cores_with_gaps_between_their_ids() {
    all_serve(Guest::new().smp("sockets=2,cores=3,threads=1"), 6);
    all_serve(Guest::new().smp("sockets=2,cores=2,threads=2").machine("q35"), 8);
}

#[test]
fn a_cpu_without_any_extension_will_do() {
    all_serve(Guest::new().cpu("qemu64"), 4);
}

#[test]
fn sixty_four_mebibytes_will_do() {
    all_serve(Guest::new().memory(64), 4);
    all_serve(Guest::new().memory(64).machine("q35"), 4);
}

#[test]
fn memory_above_four_gibibytes_will_do() {
    all_serve(Guest::new().memory(6144).machine("q35"), 4);
}

#[test]
fn count_mode_boots_all_cores() {
    all_serve(Guest::new().count(), 4);
}

#[test]
fn without_acpi_it_runs_on_one_core_and_says_so() {
    let run = Guest::new().machine("microvm,acpi=off").script("cores --json; exit").run();
    run.exited(0);
    assert_states(&run, &["serves"]);
    run.check(run.outcome.text().contains("ACPI"), "says that there is no ACPI");
}

#[test]
fn a_core_that_does_not_answer_is_reported_and_left_out() {
    let run = Guest::new().silent_core(2).script("cores --json; ping 3; exit").run();
    run.exited(0).printed(&["core 2"]);
    let silent = run.json().iter().find(|row| row["core"] == 2).map(|row| row["state"].clone());
    let silent = silent.unwrap_or_default();
    run.check(silent == "silent" || silent == "failed", "core 2 is left out");
}

#[test]
fn the_guests_code_is_the_verdict() {
    Guest::new().script("exit 42").run().exited(42);
}

#[test]
fn a_script_in_which_a_command_fails_ends_with_1() {
    Guest::new().script("frobnicate; exit").run().exited(1).printed(&["frobnicate"]);
}

#[test]
fn reboot_is_a_verdict_of_its_own() {
    Guest::new().script("reboot").run().ended(&Verdict::Reboot);
}

#[test]
fn a_panic_of_core_0_shows_its_registers_and_names_its_functions() {
    let run = Guest::new().script("panic 0").run();
    run.ended(&Verdict::Panicked).printed(&["core 0 panicked at cpudriver/src/", "#0 0xffffffff8"]);
    run.printed(&["rip"]);
    let frames = run.outcome.lines.iter().filter(|line| line.trim_start().starts_with('#'));
    let named = frames.clone().filter(|line| line.contains("cpudriver::")).count();
    run.check(named >= 3, "frames have names");
    run.check(frames.clone().any(|line| line.contains(".rs:")), "frames have lines");
}

#[test]
fn a_guest_that_stays_too_long_is_ended() {
    let limit = Duration::from_secs(3);
    let run = Guest::new().script("sleep 60; exit").timeout(limit).run();
    run.ended(&Verdict::TimedOut(limit));
}

#[test]
fn an_idle_machine_uses_next_to_no_cpu() {
    let run = Guest::new().script("sleep 5; exit").run();
    run.exited(0);
    let (used, wall) = (run.outcome.cpu_seconds, run.outcome.wall.as_secs_f64());
    run.check(wall >= 5.0, &format!("sleeps 5 s, not {wall} s"));
    run.check(used < 0.5, &format!("uses under 0.5 s of CPU, not {used} s"));
}

#[test]
fn lines_can_be_typed_edited_and_recalled() {
    let prompt = "atoll> ";
    Guest::new()
        .reply(prompt, "exho one\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x7fc\r")
        .reply("\none", "")
        .reply(prompt, "\x1b[A\x17two\r")
        .reply("\ntwo", "")
        .reply(prompt, "exit 9\r")
        .run()
        .exited(9);
}

#[test]
fn the_end_of_input_leaves() {
    Guest::new().reply("atoll> ", "\x04").run().exited(0);
}

#[test]
fn input_that_comes_faster_than_it_is_carried_out_waits() {
    let lines: String = (0..200).map(|line| format!("echo line{line}\n")).collect();
    let run = Guest::new().reply("atoll> ", format!("sleep 1\n{lines}exit 4\n")).run();
    run.exited(4);
    let echoed = (0..200).filter(|line| run.outcome.lines.contains(&format!("line{line}"))).count();
    run.check(echoed == 200, &format!("200 lines are carried out, not {echoed}"));
}
