//! Third tier: the memory of programs. Whatever is loaded or refused, and however it ends, no frame is lost.

use cpudriver::program::elf::{ElfError, Plan};
use proto::archive::{self, Archive, Program};
use std::path::Path;
use tests::guest::{Guest, Run, programs};

/// Bytes of the memory of programs that `mem --json` has shown in use, each time.
fn in_use(run: &Run) -> Vec<u64> {
    let rows = run.json().into_iter().filter(|row| row["memory"] == "programs");
    rows.filter_map(|row| row["used"].as_u64()).collect()
}

#[track_caller]
fn nothing_is_lost(run: &Run) {
    let in_use = in_use(run);
    run.check(in_use.len() == 2, "mem is shown twice");
    run.check(in_use[0] == in_use[1], &format!("as much memory is in use as before: {in_use:?}"));
}

/// The file of a program that runs.
fn hello() -> Vec<u8> {
    let bytes = std::fs::read(programs()).expect("the archive can be read");
    let archive = Archive::parse(&bytes).expect("it is an archive");
    archive.find("hello").expect("it has the program").content.to_vec()
}

/// Writes an archive of programs that are called by their numbers, and `hello`.
fn store(path: &Path, numbered: &[Vec<u8>], hello: &[u8]) {
    let names: Vec<String> = (0..numbered.len()).map(|number| number.to_string()).collect();
    let mut programs: Vec<_> = names
        .iter()
        .zip(numbered)
        .map(|(name, content)| Program { name: name.as_str(), content })
        .collect();
    programs.push(Program { name: "hello", content: hello });
    let mut bytes = Vec::new();
    archive::write(&programs, |piece| bytes.extend_from_slice(piece));
    std::fs::write(path, bytes).expect("the archive can be written");
}

/// Files that must be refused, and why: cut off, and with each of many places of their headers at extremes.
fn refused(good: &[u8]) -> Vec<(Vec<u8>, ElfError)> {
    let cut = (0..good.len()).step_by(good.len() / 40).map(|end| good[..end].to_vec());
    let headers = 64 + 56 * usize::from(good[56]);
    let values = [0, 1, u64::MAX, i64::MAX as u64, 1 << 47, 0x0040_0010];
    let places = (16..headers).step_by(4);
    let changed = places.flat_map(|at| values.map(|value| (at, value))).map(|(at, value)| {
        let mut file = good.to_vec();
        file[at..at + 8].copy_from_slice(&value.to_le_bytes());
        file
    });
    let all = cut.chain(changed).filter_map(|file| {
        let why = Plan::of(&file).err()?;
        Some((file, why))
    });
    all.take(archive::MAX_PROGRAMS - 1).collect()
}

#[test]
fn files_that_are_no_programs_are_refused_with_the_reason_and_without_a_loss() {
    let hello = hello();
    let (files, reasons): (Vec<_>, Vec<_>) = refused(&hello).into_iter().unzip();
    assert!(files.len() > 200, "{} files", files.len());
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = folder.path().join("refused.archive");
    store(&path, &files, &hello);
    let runs: Vec<String> = (0..files.len()).map(|number| format!("run {number}")).collect();
    let script = format!("mem --json;{};mem --json;run hello;exit 0", runs.join(";"));
    let run = Guest::new().archive(&path).script(&script).run();
    run.exited(0);
    nothing_is_lost(&run);
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    run.printed(&reasons.iter().map(String::as_str).collect::<Vec<_>>());
    run.printed(&["Hello"]);
}

#[test]
fn ten_thousand_programs_that_end_leave_nothing() {
    let script = "run hello;mem --json;repeat 10000 run hello;mem --json;exit";
    let run = Guest::new().script(script).run();
    run.exited(0);
    nothing_is_lost(&run);
}

#[test]
fn programs_that_do_not_fit_are_refused_until_others_have_ended() {
    // Little memory, so that a few programs fill it.
    let script = "mem --json;repeat 2000 run hello &;wait;mem --json;run hello;exit 0";
    let run = Guest::new().memory(48).script(script).run();
    run.exited(0);
    nothing_is_lost(&run);
    run.printed(&["no room for another process", "Hello"]);
}
