//! Third tier: programs run in user mode as single-core processes.

use tests::guest::Guest;

#[test]
fn a_program_prints_from_user_mode_and_its_recording_replays() {
    let run = Guest::new().record().script("run hello; exit").run();
    run.exited(0).printed(&["Hello from user mode"]).replays();
}
