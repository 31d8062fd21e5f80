//! First tier: the image boots on every machine, and its end is told.

use tests::guest::Guest;

#[test]
fn the_first_line_names_the_kernel_and_its_version() {
    let run = Guest::new().script("exit").run();
    let first = run.exited(0).outcome.lines.first().cloned().unwrap_or_default();
    run.check(first.starts_with(concat!("Atoll ", env!("CARGO_PKG_VERSION"), ":")), "first line");
}

#[test]
fn it_boots_on_every_machine() {
    for board in ["microvm", "q35", "pc"] {
        Guest::new().machine(board).script("exit").run().exited(0);
    }
}
