//! `atoll bench` from the command line to the files it writes, with a stand-in that prints rows.

use crate::{Scene, stderr, stdout};
use std::process::Output;

const ROW: &str = r#"{"experiment":"poll-cost","params":{"rings":255},"metric":"cycles","unit":"cycles",
"n":4,"min":30,"p50":32,"p90":36,"p99":36,"max":36,"mean":33.5}"#;

/// Runs `atoll bench` in time mode on 2 cores. The stand-in answers to `--version`, and else does this.
fn bench(scene: &Scene, script: &str, args: &[&str]) -> Output {
    let version = "[ \"$1\" = --version ] && echo QEMU emulator version 7.2.0 && exit 0";
    scene.qemu(&format!("{version}\n{script}"));
    let mut tool = scene.tool();
    tool.args(["bench", "--mode", "time", "--cores", "2", "--accel", "tcg", "--image"]);
    tool.arg(scene.path("image")).args(args).output().unwrap()
}

/// Prints lines and leaves with the guest's code 0.
fn prints(lines: &str) -> String {
    format!("cat <<'END'\nAtoll 0.1.0: 2 cores\n{}\nEND\nexit 33", lines.replace(",\n", ","))
        .replace("cat", "/bin/cat")
}

#[test]
fn a_table_says_what_it_was_measured_with() {
    let scene = Scene::new();
    let ran = bench(&scene, &prints(ROW), &["poll-cost"]);
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    let text = stdout(&ran);
    let head =
        "poll-cost · mode time: tcg on microvm, cpu max, QEMU 7.2.0; emulated: do not compare";
    assert!(text.starts_with(head), "{text}");
    let cells: Vec<_> = text.lines().nth(2).unwrap().split_whitespace().collect();
    assert_eq!(cells, ["2", "255", "32", "36", "36"]);
    assert!(stderr(&ran).contains("poll-cost on 2 cores (1 of 1)"), "{}", stderr(&ran));
}

#[test]
fn files_have_the_rows_and_where_they_come_from() {
    let scene = Scene::new();
    let out = scene.path("deep/out");
    let ran = bench(&scene, &prints(ROW), &["poll-cost", "--out", out.to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    let text = std::fs::read_to_string(out.join("results.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let environment = &json["environment"];
    for (name, value) in [("machine", "microvm"), ("accelerator", "tcg"), ("mode", "time")] {
        assert_eq!(environment[name], value);
    }
    assert!(environment["command"].as_str().unwrap().contains(" bench --mode time"));
    assert_eq!(json["results"][0]["p50"], 32.0);
    let csv = std::fs::read_to_string(out.join("results.csv")).unwrap();
    assert!(csv.contains("\npoll-cost,time,2,255,cycles,cycles,4,30,32,36,36,36,33.5\n"), "{csv}");
}

#[test]
fn rows_can_be_printed_one_a_line() {
    let scene = Scene::new();
    let ran = bench(&scene, &prints(ROW), &["poll-cost", "--json"]);
    let text = stdout(&ran);
    assert_eq!(text.lines().count(), 1);
    assert!(text.starts_with(r#"{"experiment":"poll-cost","mode":"time","cores":2,"#), "{text}");
}

#[test]
fn limits_decide_the_exit_status() {
    let scene = Scene::new();
    let limits = scene.path("limits.toml");
    let limited_to = |max: u32| {
        let head = "[[limit]]\nexperiment = \"poll-cost\"\nmode = \"time\"\nmetric = \"cycles\"\n";
        std::fs::write(&limits, format!("{head}max = {max}\n")).unwrap();
        let args = ["poll-cost", "--check", "--limits", limits.to_str().unwrap()];
        let ran = bench(&scene, &prints(ROW), &args);
        (ran.status.code(), stdout(&ran).lines().last().unwrap().to_owned())
    };
    let at = "poll-cost cycles p50: measured 32 (at cores=2 rings=255), limit";
    assert_eq!(limited_to(32), (Some(0), format!("PASS  {at} <= 32")));
    assert_eq!(limited_to(31), (Some(1), format!("FAIL  {at} <= 31")));
}

#[test]
fn bring_up_is_timed_on_the_wall_too() {
    let scene = Scene::new();
    let row = ROW.replace("poll-cost", "bring-up");
    let ran = bench(&scene, &prints(&row), &["bring-up", "--json"]);
    let text = stdout(&ran);
    assert_eq!(text.lines().count(), 4, "{text}{}", stderr(&ran));
    assert!(text.contains(r#""params":{"phase":"all-online"},"metric":"ratio""#), "{text}");
    assert!(text.contains(r#""params":{"phase":"first-line"},"metric":"wall","unit":"ms","n":5"#));
}

#[test]
fn a_broken_row_is_the_hosts_error() {
    let scene = Scene::new();
    let ran = bench(&scene, &prints("{\"experiment\":"), &["poll-cost"]);
    assert_eq!(ran.status.code(), Some(125));
    let text = stderr(&ran);
    assert!(text.contains("poll-cost on 2 cores: malformed row: {\"experiment\":"), "{text}");
}

#[test]
fn a_guest_that_ends_badly_is_told_with_its_last_words() {
    let scene = Scene::new();
    let ran = bench(&scene, "echo core 0 panicked; exit 235", &["poll-cost"]);
    assert_eq!(ran.status.code(), Some(101));
    let text = stderr(&ran);
    assert!(text.contains("poll-cost on 2 cores: kernel panic"), "{text}");
    assert!(text.contains("core 0 panicked"), "{text}");
}

#[test]
fn what_cannot_work_is_said_before_anything_runs() {
    let scene = Scene::new();
    for (args, words) in [
        (&["ping-pong"][..], "there are: message-cost, ring-latency"),
        (&["--out", "/proc/no"], "cannot write to the output directory /proc/no"),
        (&["--check", "--limits", "/no/limits"], "cannot read the limits /no/limits"),
        (&["--mode", "count", "--accel", "kvm"], "KVM does not count instructions"),
        (&["--profile"], "--profile counts instructions: use --mode count"),
    ] {
        let ran = bench(&scene, "echo it ran; exit 33", args);
        assert_eq!(ran.status.code(), Some(125), "{args:?}");
        let text = stderr(&ran);
        assert!(text.contains(words), "{args:?}: {text}");
        assert!(!text.contains("on 2 cores"), "{args:?}: {text}");
    }
}

#[test]
fn experiments_are_listed() {
    let scene = Scene::new();
    let listed = bench(&scene, "exit 33", &["--list"]);
    let names: Vec<_> =
        stdout(&listed).lines().filter_map(|l| l.split(' ').next().map(str::to_owned)).collect();
    let all = [
        "message-cost",
        "ring-latency",
        "ring-throughput",
        "poll-cost",
        "coordinator",
        "process",
        "vcore",
        "user-ring",
        "shootdown",
        "bring-up",
    ];
    assert_eq!(names, all);
}
