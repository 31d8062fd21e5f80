//! What QEMU is told, for what the user asked.

use super::{Board, Debugger, Invocation, Machine, Memory, Topology, quoted};
use crate::accel::Accel;
use proto::boot::Clock;

fn machine() -> Machine {
    Machine::new("qemu-system-x86_64", "kernel")
}

fn value(command: &Invocation, option: &str) -> Option<String> {
    let at = command.args.iter().position(|arg| arg == option)?;
    Some(command.args[at + 1].to_string_lossy().into_owned())
}

#[test]
fn the_defaults_boot_four_cores_on_microvm_in_parallel() {
    let command = machine().command();
    assert_eq!(value(&command, "-M").unwrap(), "microvm");
    assert_eq!(value(&command, "-smp").unwrap(), "4");
    assert_eq!(value(&command, "-m").unwrap(), "128M");
    assert_eq!(value(&command, "-cpu").unwrap(), "max");
    assert_eq!(value(&command, "-accel").unwrap(), "tcg,thread=multi");
    assert_eq!(value(&command, "-append").unwrap(), "clock=time accel=tcg/microvm");
    assert_eq!(value(&command, "-device").unwrap(), "isa-debug-exit,iobase=0xf4,iosize=4");
    assert_eq!(value(&command, "-icount"), None);
    assert!(command.args.iter().any(|arg| arg == "-no-reboot"));
    assert!(!command.args.iter().any(|arg| arg == "-S"));
}

#[test]
fn count_mode_runs_one_thread_and_tells_the_kernel() {
    let command = Machine { clock: Clock::Count, ..machine() }.command();
    assert_eq!(value(&command, "-accel").unwrap(), "tcg");
    assert_eq!(value(&command, "-icount").unwrap(), "shift=0,sleep=off");
    assert!(value(&command, "-append").unwrap().starts_with("clock=count "));
}

#[test]
fn scripts_and_words_arrive_as_the_kernel_decodes_them() {
    let words = Machine {
        script: Some("cores 1; exit 3 %".into()),
        silent_core: Some(2),
        words: vec![("trace".into(), "a b".into())],
        ..machine()
    }
    .kernel_words();
    let decoded = |key| -> Vec<u8> {
        proto::boot::percent_decoded(proto::boot::value(&words, key).unwrap()).collect()
    };
    assert_eq!(decoded("script"), b"cores 1; exit 3 %");
    assert_eq!(decoded("silent-core"), b"2");
    assert_eq!(decoded("trace"), b"a b");
}

#[test]
fn a_recording_goes_to_a_device_of_its_own() {
    let record = Some("/tmp/a,b".into());
    let command = Machine { record, ..machine() }.command();
    let has = |arg: &str| command.args.iter().any(|it| it == arg);
    assert!(has("file,id=record,append=on,path=/tmp/a,,b"));
    assert!(has("isa-debugcon,iobase=0xe9,chardev=record"));
    assert!(value(&command, "-append").unwrap().ends_with(" record=on"));
}

#[test]
fn a_debugger_is_waited_for() {
    let debugger = Some(Debugger::Socket("/tmp/a,b".into()));
    let command = Machine { debugger, ..machine() }.command();
    assert_eq!(value(&command, "-gdb").unwrap(), "unix:/tmp/a,,b,server=on,wait=off");
    assert!(command.args.iter().any(|arg| arg == "-S"));
    assert_eq!("1234".parse(), Ok(Debugger::Port(1234)));
    assert_eq!(Debugger::Port(1234).gdb(), "127.0.0.1:1234");
    assert!("70000".parse::<Debugger>().is_err());
}

#[test]
fn boards_are_checked_and_their_options_kept() {
    let board: Board = "microvm,acpi=off".parse().unwrap();
    assert_eq!((board.name(), board.to_string().as_str()), ("microvm", "microvm,acpi=off"));
    assert!("q35".parse::<Board>().is_ok() && "pc".parse::<Board>().is_ok());
    for wrong in ["", "virt", "microvm2", ",acpi=off"] {
        assert!(wrong.parse::<Board>().is_err(), "{wrong}");
    }
}

#[test]
fn topologies_know_how_many_cores_they_have() {
    let cores = |text: &str| text.parse::<Topology>().map(|t| t.cores());
    assert_eq!(cores("7"), Ok(7));
    assert_eq!(cores("sockets=2,cores=3,threads=2"), Ok(12));
    assert_eq!(cores("cpus=4,sockets=2,threads=2"), Ok(4));
    assert_eq!(cores("4,sockets=2"), Ok(4));
    for wrong in ["0", "256", "sockets=2,cores=128", "cats=2", "", "4,", "cores=x"] {
        assert!(cores(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn memory_has_units_and_grows_with_the_cores() {
    let mebibytes = |text: &str| text.parse::<Memory>().map(Memory::mebibytes);
    assert_eq!(mebibytes("64"), Ok(64));
    assert_eq!(mebibytes("64M"), Ok(64));
    assert_eq!(mebibytes("2g"), Ok(2048));
    for wrong in ["", "M", "0", "15M", "12K3", "1T", "-1", "99999999999999999999"] {
        assert!(mebibytes(wrong).is_err(), "{wrong}");
    }
    assert!(Memory::for_cores(255) > Memory::for_cores(4));
}

#[test]
fn the_printed_command_can_be_pasted_into_a_shell() {
    assert_eq!(quoted("a=b,c"), "a=b,c");
    assert_eq!(quoted(""), "''");
    assert_eq!(quoted("it's; ls"), r"'it'\''s; ls'");
    let line = Machine { script: Some("exit".into()), ..machine() }.command().to_string();
    assert!(line.ends_with("-kernel kernel -append 'clock=time accel=tcg/microvm script=exit'"));
}

#[test]
fn a_script_that_would_not_arrive_whole_is_refused() {
    for (board, most) in [("microvm,acpi=off", 16383), ("q35", 4095), ("pc", 4095)] {
        let board: Board = board.parse().unwrap();
        let with =
            |script: String| Machine { board: board.clone(), script: Some(script), ..machine() };
        let room = most - with(String::new()).kernel_words().len();
        with("a".repeat(room)).check().unwrap();
        let refused = with("a".repeat(room + 1)).check().unwrap_err().to_string();
        assert!(refused.contains(&format!("{} bytes", most + 1)), "{refused}");
        // Encoded, blanks take three bytes.
        assert!(with(" ".repeat(room / 3 + 1)).check().is_err());
    }
}

#[test]
fn the_summary_names_board_cores_memory_and_accelerator() {
    let summary = Machine { accel: Accel::Kvm, topology: Topology::flat(1), ..machine() }.summary();
    assert_eq!(summary, "1 core on microvm, 128 MiB, KVM");
}
