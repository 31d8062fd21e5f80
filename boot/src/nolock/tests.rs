use super::{Exceptions, Report, check};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::path::PathBuf;
use std::process::Command;

/// Assembles one function into an object file.
fn object(dir: &tempfile::TempDir, body: &str) -> PathBuf {
    let (source, object) = (dir.path().join("f.s"), dir.path().join("f.o"));
    let text = format!(
        ".intel_syntax noprefix\n.text\n.globl f\n.type f, @function\nf:\n{body}\n.size f, .-f\n"
    );
    std::fs::write(&source, text).unwrap();
    let status = Command::new("cc").arg("-c").arg(&source).arg("-o").arg(&object).status().unwrap();
    assert!(status.success(), "{body}");
    object
}

fn checked_with(body: &str, exceptions: &str) -> Report {
    let dir = tempfile::tempdir().unwrap();
    check(&object(&dir, body), &Exceptions::parse(exceptions).unwrap()).unwrap()
}

fn found(body: &str) -> Vec<String> {
    let report = checked_with(body, "");
    report.findings.iter().map(|finding| finding.what.clone()).collect()
}

#[test]
fn a_lock_prefix_is_found_where_it_is() {
    let report = checked_with("nop\nlock xadd [rdi], eax\nret", "");
    assert_eq!(report.findings.len(), 1);
    let finding = &report.findings[0];
    assert_eq!((finding.function.as_str(), finding.address), ("f", 1));
    assert_eq!(finding.what, "lock xadd (f0 0f c1 07)");
    assert!(!report.passes());
    assert_eq!(found("lock or dword ptr [rsp - 64], 0"), ["lock or (f0 83 4c 24 c0 00)"]);
    assert_eq!(found("lock cmpxchg16b [rdi]").len(), 1);
}

#[test]
fn an_exchange_with_memory_is_found_and_one_of_registers_is_not() {
    assert_eq!(found("xchg [rdi], eax"), ["xchg with memory, which locks (87 07)"]);
    assert_eq!(found("xchg rax, rdx\nxchg ax, ax\npause\nxadd [rdi], eax"), [""; 0]);
}

#[test]
fn constants_that_look_like_locks_are_none() {
    assert_eq!(found("mov eax, 0xf0f0f0f0\nmov rax, 0x07870787f00fc107\nmfence\nret"), [""; 0]);
}

#[test]
fn a_spin_needs_a_pause() {
    let spin = "2: mov al, [rdi]\ntest al, al\nPAUSE\nje 2b\nret";
    assert_eq!(found(&spin.replace("PAUSE", "")), ["a spin without pause"]);
    assert_eq!(found(&spin.replace("PAUSE", "pause")), [""; 0]);
    assert_eq!(found("2: cmp dword ptr [rip], 0\njne 2b"), ["a spin without pause"]);
    assert_eq!(found("2: mov rax, [rdi]\ncmp rax, rsi\nje 3f\njmp 2b\n3: ret").len(), 1);
    let two_ways =
        "2: cmp dword ptr [rdi], 1\nje 3f\ncmp dword ptr [rdi], 2\njne 2b\nret\n3: jmp 2b";
    assert_eq!(found(two_ways).len(), 2, "both ways back");
    let outer = "2: mov al, [rdi]\ntest al, al\nje 2b\nmov [rsi], al\njmp 2b";
    assert_eq!(found(outer).len(), 1, "it gets on outside the loop");
}

#[test]
fn loops_that_get_on_by_themselves_are_no_spins() {
    assert_eq!(found("2: mov al, [rdi]\ninc rdi\ntest al, al\njne 2b"), [""; 0]);
    assert_eq!(found("2: mov al, [rdi + rcx]\ndec rcx\njne 2b"), [""; 0]);
    assert_eq!(found("2: mov rdi, [rdi]\ntest rdi, rdi\njne 2b"), [""; 0], "a list");
    assert_eq!(found("2: in al, dx\ntest al, [rdi]\nje 2b"), [""; 0], "a device");
    assert_eq!(found("2: mov al, [rdi]\nmov [rsi], al\njmp 2b"), [""; 0], "it writes");
    assert_eq!(found("2: call f\nmov al, [rdi]\njmp 2b"), [""; 0], "it calls");
    assert_eq!(found("2: hlt\njmp 2b"), [""; 0]);
    let mostly = "2: mov al, [rdi]\ntest al, al\nje 3f\ninc rdi\n3: cmp rdi, rsi\njne 2b";
    assert_eq!(found(mostly), [""; 0], "one way round gets on");
    let not_back = "2: mov al, [rdi]\nret\nmov al, [rsi]\nje 2b\nret";
    assert_eq!(found(not_back), [""; 0], "a jump back is not always a loop");
}

#[test]
fn bytes_that_are_no_instructions_are_found() {
    assert_eq!(found("ret\n.byte 0x06"), ["no instruction (06)"]);
}

#[test]
fn functions_of_locks_are_found_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let object = object(&dir, "ret\n.globl spin_lock_slow\nspin_lock_slow: nop");
    let report = check(&object, &Exceptions::default()).unwrap();
    assert_eq!(report.findings[0].function, "spin_lock_slow");
    assert_eq!(report.functions, 2);
}

#[test]
fn an_exception_allows_its_function_alone() {
    let allow = "[[allow]]\nfunction = \"f\"\nreason = \"a test\"";
    let report = checked_with("lock inc dword ptr [rdi]", allow);
    assert!(report.passes());
    assert_eq!(report.used.iter().collect::<Vec<_>>(), ["f"]);
    let report = checked_with("ret\ng: lock inc dword ptr [rdi]", allow);
    assert_eq!(report.findings[0].function, "g");
}

#[test]
fn what_is_not_64_bit_code_is_decoded_as_the_list_says() {
    let body = ".code32\nles eax, [ecx]\n.code64";
    assert!(!checked_with(body, "").passes(), "no such instruction in long mode");
    let with = |kind| checked_with(body, &format!("[[decode]]\nsymbol = \"f\"\nas = \"{kind}\""));
    assert!(with("code32").passes());
    assert!(!with("code64").passes());
    let body = "ret\n.globl table\ntable: .quad 0xf0f0f0f0f0f0f0f0";
    assert!(!checked_with(body, "").passes());
    assert!(checked_with(body, "[[decode]]\nsymbol = \"table\"\nas = \"data\"").passes());
}

#[test]
fn code_that_waits_among_data_to_be_copied_is_checked_where_the_list_names_it() {
    let body = "ret\n.section .rodata\n.globl start\nstart: .code16\nlock incw [bx]\n.code64\n\
        .globl end\nend: .quad 0xf0f0f0f0f0f0f0f0\n.text";
    assert!(checked_with(body, "").passes());
    let report = checked_with(body, "[[decode]]\nsymbol = \"start\"\nas = \"code16\"");
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].what, "lock inc (f0 ff 07)");
}

#[test]
fn the_kernels_exceptions_are_well_formed() {
    Exceptions::of_the_kernel().unwrap();
    assert!(Exceptions::parse("[[allow]]\nfunction = \"f\"\nreason = \" \"").is_err());
    assert!(Exceptions::parse("[[decode]]\nsymbol = \"f\"\nas = \"code8\"").is_err());
}

#[test]
fn what_is_no_image_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = check(file.path(), &Exceptions::default()).unwrap_err();
    assert!(format!("{error:#}").contains("is no object file"), "{error:#}");
    assert!(check("/nonexistent".as_ref(), &Exceptions::default()).is_err());
    let dir = tempfile::tempdir().unwrap();
    assert!(check(&object(&dir, ""), &Exceptions::default()).is_err(), "there is no code");
}

/// The real image, as it is linked.
fn image() -> PathBuf {
    crate::image::build().unwrap()
}

#[test]
fn the_kernel_has_no_locks() {
    let exceptions = Exceptions::of_the_kernel().unwrap();
    let report = check(&image(), &exceptions).unwrap();
    let unused: Vec<_> = exceptions.entries().filter(|e| !report.used.contains(*e)).collect();
    assert!(unused.is_empty(), "the list of exceptions names what is not there: {unused:?}");
    let findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings, [""; 0]);
    assert!(report.functions > 50 && report.instructions > 5000, "{report:?}");
}

#[test]
fn a_lock_put_into_the_kernel_is_found() {
    let (image, mut bytes) = (image(), Vec::new());
    bytes.extend(std::fs::read(&image).unwrap());
    let (offset, address) = {
        let file = object::File::parse(&*bytes).unwrap();
        let symbol = file.symbol_by_name("atoll_move").unwrap();
        let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
        let (start, _) = section.file_range().unwrap();
        (usize::try_from(start + symbol.address() - section.address()).unwrap(), symbol.address())
    };
    bytes[offset..offset + 4].copy_from_slice(&[0xf0, 0x0f, 0xc1, 0x07]);
    let patched = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(patched.path(), bytes).unwrap();
    let report = check(patched.path(), &Exceptions::of_the_kernel().unwrap()).unwrap();
    let found = report.findings.iter().find(|f| f.address == address).unwrap();
    assert_eq!(
        (found.function.as_str(), found.what.as_str()),
        ("atoll_move", "lock xadd (f0 0f c1 07)")
    );
}
