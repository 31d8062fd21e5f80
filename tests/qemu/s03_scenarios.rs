//! Fourth tier: what a many-core process can count on, on 2, 3, 4, 8 and 16 cores. Each scenario boots a machine of each size and
//! looks at what a user sees: counts, states, who has which core; and afterwards nothing is lost and all invariants hold.

use std::time::Duration;
use tests::guest::{Guest, Run, nothing_lost};

const CORES: [u16; 5] = [2, 3, 4, 8, 16];

/// Runs commands on a machine of each size; `{}` in them is the number of vcores that there can be.
fn on_each(commands: &str, look: impl Fn(&Run, u16)) {
    for cores in CORES {
        let all = cores - 1;
        let guest = Guest::new().cores(cores).timeout(Duration::from_secs(120));
        look(&nothing_lost(guest, &commands.replace("{}", &all.to_string())), all);
    }
}

/// The number behind `name=` in the report of a storm.
fn number(run: &Run, name: &str) -> u64 {
    let word = run.line("STORM ").split_whitespace().find_map(|word| word.strip_prefix(name));
    word.and_then(|word| word.strip_prefix('=')?.parse().ok()).unwrap_or(0)
}

#[test]
fn cores_come_and_go_in_any_order_as_asked_for_and_without_any_a_process_waits() {
    // More than there are is cut to what there is; the last yield waits without cores, until an event comes.
    on_each("run grow 5 3;run sway 20 5", |run, all| {
        run.printed(&[&format!("grow: up to {all} cores, 5 times at random, 0 wrong")]);
        run.printed(&[&format!("sway: 20 times up to {all} cores, 0 wrong, exact: true")]);
    });
}

#[test]
fn vcores_give_their_cores_back_in_any_order_and_begin_anew_whichever_is_left() {
    on_each("run yields {} 10", |run, all| {
        let orders = [1, 2, 6].get(usize::from(all - 1)).unwrap_or(&10);
        run.printed(&[&format!("yields: {all} vcores, {orders} orders, 0 wrong")]);
    });
}

#[test]
fn a_vcore_that_is_told_is_entered_and_a_core_goes_on_as_another_vcore() {
    // Where there are two vcores at least.
    for cores in CORES.into_iter().filter(|cores| *cores > 2) {
        let vcores = (cores - 1).min(4);
        let commands = format!("run queues {vcores};run crossing change 8;run crossing offline");
        let guest = Guest::new().cores(cores).timeout(Duration::from_secs(120));
        let run = nothing_lost(guest, &commands);
        run.printed(&[
            &format!("queues: 48 checks on {vcores} vcores, 0 wrong"),
            "crossing: 8 changes, 0 events",
            "had heard 0 events without a core, and then one",
        ]);
    }
}

#[test]
fn each_vcore_greets_from_a_core_of_its_own() {
    on_each("run vcores {}", |run, all| {
        let of_vcore = |vcore: u16| format!("vcore {vcore} greets from core ");
        let lines = (0..all).map(|vcore| run.line(&of_vcore(vcore)).to_owned());
        let mut cores: Vec<u16> =
            lines.filter_map(|it| it.rsplit(' ').next()?.parse().ok()).collect();
        cores.sort_unstable();
        run.check(cores == (1..=all).collect::<Vec<_>>(), &format!("all cores: {cores:?}"));
        run.printed(&[&format!("vcores: {all} of {all}")]);
    });
}

#[test]
fn vcores_halt_and_are_woken_in_every_order_and_those_that_are_not_told_stay_asleep() {
    on_each("run halts {} 10", |run, all| {
        let (others, orders) = (all - 1, [1, 1, 4, 36].get(usize::from(all - 1)));
        let times = 3 * orders.copied().unwrap_or(10);
        run.printed(&[&format!("halts: {all} vcores, {times} times in every order, 0 wrong")]);
        run.printed(&[&format!("halts: told {} times, woken ", times * others)]);
        run.printed(&["all asleep 10 times, 0 late"]);
        run.never_printed("exit code");
    });
}

#[test]
fn all_vcores_make_system_calls_at_the_same_time_and_each_result_is_exact() {
    on_each("run calls {} 10;storm --seed 5 --every 10000 calls {} 5", |run, all| {
        // Each thread takes its turn at each kind of call twice; what it passes on and tells depends on its number alone.
        let turns = (0..10).flat_map(|round| (0..all).map(move |number| (round, number)));
        let sum = |kind: u16| {
            let mine = turns.clone().filter(|(round, number)| (round + number) % 5 == kind);
            mine.map(|(round, number)| u32::from(round * all + number + 1)).sum::<u32>()
        };
        let (passed_on, told) = (sum(1), sum(3));
        run.printed(&[&format!(
            "calls: 10 rounds by {all} of {all} vcores, 0 wrong, written {passed_on}, read {passed_on}, told {told}, \
             heard {told}"
        )]);
        run.check(run.line("STORM ").ends_with("result=exact"), "the result is exact");
        run.check(number(run, "preempts") > 0, "vcores were preempted");
    });
}

#[test]
fn threads_count_exactly_while_vcores_are_preempted() {
    on_each("storm --seed 3 --every 6000 threads 8 3000 {}", |run, _| {
        run.printed(&["threads: counted 24000"]);
        run.check(run.line("STORM ").ends_with("result=exact"), "the result is exact");
        run.check(number(run, "preempts") > 0, "vcores were preempted");
    });
}

#[test]
fn whoever_waits_while_cores_are_taken_hears_all_the_same() {
    let commands = "run blocked 100 {};storm --seed 4 --every 10000 blocked 40 {};\
        storm --seed 4 --every 10000 listen 4 20 {}";
    on_each(commands, |run, all| {
        run.printed(&["blocked: 200 threads", "blocked: 80 threads", "result=exact"]);
        run.printed(&[&format!("on up to {all} cores, told 210, heard 210"), "result=exact"]);
        run.never_printed("right: false");
    });
}

#[test]
fn who_has_a_right_to_cores_gets_them_and_the_sums_are_those_of_the_machine() {
    // The first has all cores; the second is given one that the first has, by preemption, and both end. The first has a
    // right to all others, so that none of those is the second's turn before.
    for cores in CORES {
        let all = cores - 1;
        let others = if all > 1 { format!("prov 1 2-{all};") } else { String::new() };
        let script = format!(
            "run threads 8 1000000000 {all} &;sleep 0.1;{others}run threads 2 1000000000 1 &;prov 2 1;\
            sleep 0.2;cores --json;prov --json;kill 2;wait 2;sleep 0.1;prov --json;kill 1;wait;\
            check;prov --json;exit 0"
        );
        let run = Guest::new().cores(cores).script(&script).run();
        run.exited(0);
        let rows = run.json();
        let shown: Vec<_> = rows.iter().filter(|row| row.get("owner").is_some()).collect();
        let tables: Vec<_> = shown.chunks(cores.into()).collect();
        run.check(tables.len() == 3, "cores are shown three times");
        let held =
            |table: usize, pid: u64| tables[table].iter().filter(|row| row["pid"] == pid).count();
        run.check(tables[0][1]["pid"] == 2, "who has the right has the core");
        run.check(held(0, 1) == usize::from(all) - 1, "the other has all that are left");
        run.check(held(1, 1) == usize::from(all), "what was taken comes back");
        run.check(held(2, 1) + held(2, 2) == 0, "an end gives all cores back");
    }
}

#[test]
fn an_end_in_the_middle_or_a_fault_takes_nobody_elses_cores_and_leaves_none_behind() {
    let commands = "run threads 8 1000000000 {} &;sleep 0.1;measure kill 1 --json;wait;\
        run fault divide many;run hammer kill 3 {};run threads 8 500 {}";
    for cores in CORES {
        let all = cores - 1;
        let script = format!(
            "mem --json;{};sleep 0.2;mem --json;check;ps --json;prov --json;exit 0",
            commands.replace("{}", &all.to_string())
        );
        let run = Guest::new().cores(cores).timeout(Duration::from_secs(120)).script(&script).run();
        run.exited(0).printed(&[
            "divide error",
            "hammer: 3 ended while they ran",
            "threads: counted 4000",
            "I14 ok",
            "leases ok",
        ]);
        let rows = run.json();
        let killed = rows.iter().find(|row| row["operation"] == "kill");
        run.check(killed.is_some_and(|row| row["took"].as_u64() > Some(0)), "it took time");
        let used = rows.iter().filter(|row| row["memory"] == "programs");
        let used: Vec<_> = used.map(|row| row["used"].clone()).collect();
        run.check(used.len() == 2 && used[0] == used[1], &format!("memory is back: {used:?}"));
        run.check(!rows.iter().any(|row| row.get("parent").is_some()), "no process is left");
        let held = rows.iter().filter(|row| row.get("owner").is_some() && row["pid"].is_u64());
        run.check(held.count() == 0, "nobody has a core");
    }
}

#[test]
fn messages_to_cores_come_back_from_each_while_others_are_taken_and_given() {
    let pings: String = (1..=15).map(|core| format!("ping {core} 100 --json;")).collect();
    for cores in CORES {
        let all = usize::from(cores - 1);
        let pings: String = pings.split_inclusive(';').take(all).collect();
        let commands =
            format!("run threads 8 1000000000 1 &;sleep 0.05;{pings}preempt 1;{pings}kill 1;wait");
        let guest = Guest::new().cores(cores).timeout(Duration::from_secs(120));
        let run = guest.script(&format!("{commands};check;exit 0")).run();
        run.exited(0);
        let answered = run.json().into_iter().filter(|row| row["round_trips"] == 100);
        run.check(answered.count() == 2 * all, "each ping is answered");
    }
}
