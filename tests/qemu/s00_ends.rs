//! First tier: ends that the kernel must never come to are still told apart. A few bytes of machine
//! code stand in for it.

use boot::machine::Machine;
use boot::session::{Outcome, Session};
use boot::tools;
use boot::verdict::Verdict;
use std::time::Duration;

/// Where the code is loaded and entered: 32-bit protected mode, paging and interrupts off.
const ENTRY: u32 = 0x10_0000;
const HEADERS: u64 = 64 + 2 * 56;
const NOTE_BYTES: u64 = 24;

/// An ELF file that QEMU's `-kernel` boots: a PVH note that names the entry, and the code.
fn image(code: &[u8]) -> Vec<u8> {
    let entry = u64::from(ENTRY);
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    // Entry, program headers, section headers; flags, sizes and numbers of headers.
    elf.extend([entry, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
    elf.extend([0_u16, 0, 64, 56, 2, 64, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
    let code_at = HEADERS + NOTE_BYTES;
    elf.extend(program_header(1, code_at, entry, code.len() as u64, 1));
    elf.extend(program_header(4, HEADERS, 0, NOTE_BYTES, 4));
    // XEN_ELFNOTE_PHYS32_ENTRY of owner "Xen".
    elf.extend([4_u32, 8, 18].iter().flat_map(|word| word.to_le_bytes()));
    elf.extend(b"Xen\0");
    elf.extend(entry.to_le_bytes());
    elf.extend(code);
    elf
}

/// A program header, read, write and execute.
fn program_header(kind: u32, offset: u64, address: u64, size: u64, align: u64) -> Vec<u8> {
    let words = [offset, address, address, size, size, align];
    let words = words.iter().flat_map(|word| word.to_le_bytes());
    [kind, 7].iter().flat_map(|word| word.to_le_bytes()).chain(words).collect()
}

fn run(name: &str, code: &[u8]) -> anyhow::Result<Outcome> {
    let folder = std::env::temp_dir().join(format!("atoll-ends-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("image");
    std::fs::write(&path, image(code))?;
    let machine = Machine::new(tools::qemu(None)?, &path);
    let outcome = Session::new(&machine).timeout(Some(Duration::from_secs(3))).run();
    std::fs::remove_dir_all(&folder)?;
    outcome
}

#[test]
fn a_code_written_to_the_exit_port_is_the_verdict() -> anyhow::Result<()> {
    // mov $16 + 42, %al; out %al, $0xf4; jmp .
    let outcome = run("exit", b"\xb0\x3a\xe6\xf4\xeb\xfe")?;
    assert_eq!(outcome.verdict, Verdict::Exited(42), "{outcome:?}");
    Ok(())
}

#[test]
fn a_triple_fault_is_one() -> anyhow::Result<()> {
    // lidt with a limit of 0, from 6 zero bytes behind the code; ud2.
    let mut code = b"\x0f\x01\x1d".to_vec();
    code.extend((ENTRY + 9).to_le_bytes());
    code.extend(b"\x0f\x0b\0\0\0\0\0\0");
    let outcome = run("fault", &code)?;
    assert_eq!(outcome.verdict, Verdict::TripleFault, "{outcome:?}");
    Ok(())
}

#[test]
fn a_machine_that_halts_for_ever_is_ended_and_has_used_next_to_nothing() -> anyhow::Result<()> {
    // hlt; jmp to it.
    let outcome = run("halt", b"\xf4\xeb\xfd")?;
    assert_eq!(outcome.verdict, Verdict::TimedOut(Duration::from_secs(3)), "{outcome:?}");
    assert!(outcome.cpu_seconds < 0.5, "{outcome:?}");
    Ok(())
}

#[test]
fn a_qemu_that_does_not_take_its_options_is_not_the_guests_fault() -> anyhow::Result<()> {
    let mut machine = Machine::new(tools::qemu(None)?, "/nonexistent");
    machine.cpu = "z80".into();
    let outcome = Session::new(&machine).timeout(Some(Duration::from_secs(20))).run()?;
    assert!(matches!(outcome.verdict, Verdict::Qemu(_)), "{outcome:?}");
    assert!(outcome.complaints.contains("z80"), "{outcome:?}");
    Ok(())
}
