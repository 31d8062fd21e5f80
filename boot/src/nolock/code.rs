//! The functions of an image, decoded.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use super::{Exceptions, Kind};

/// A piece of code between one symbol and the next.
pub(super) struct Function {
    /// Demangled name of the symbol.
    pub(super) name: String,
    /// Where it begins.
    pub(super) address: u64,
    /// All of it, but for zeros behind it.
    pub(super) instructions: Vec<Instruction>,
    bytes: Vec<u8>,
}

impl Function {
    fn decode(name: String, address: u64, bytes: &[u8], kind: Kind) -> Self {
        let (bits, bytes) = match kind {
            Kind::Code16 => (16, bytes),
            Kind::Code32 => (32, bytes),
            Kind::Code64 => (64, bytes),
            Kind::Data => (64, &[][..]),
        };
        let mut decoder = Decoder::with_ip(bits, bytes, address, DecoderOptions::NONE);
        let padding = |at: u64| {
            let at = usize::try_from(at - address).unwrap_or(0);
            bytes[at..].iter().all(|&byte| byte == 0)
        };
        let instructions = decoder.iter().take_while(|insn| !padding(insn.ip())).collect();
        Self { name, address, instructions, bytes: bytes.to_vec() }
    }

    /// Instructions that lock, and bytes that are none.
    pub(super) fn locked(&self) -> Vec<(u64, String)> {
        let found = |insn: &Instruction| Some((insn.ip(), self.describe(insn, verdict(insn)?)));
        self.instructions.iter().filter_map(found).collect()
    }

    fn describe(&self, insn: &Instruction, verdict: &str) -> String {
        let name = format!("{:?}", insn.mnemonic()).to_lowercase();
        let from = usize::try_from(insn.ip() - self.address).unwrap_or(0);
        let code = &self.bytes[from..(from + insn.len()).min(self.bytes.len())];
        let code: Vec<String> = code.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} ({})", verdict.replace("NAME", &name), code.join(" "))
    }
}

/// What is wrong with an instruction.
fn verdict(insn: &Instruction) -> Option<&'static str> {
    let memory = (0..insn.op_count()).any(|i| insn.op_kind(i) == OpKind::Memory);
    match insn.mnemonic() {
        _ if insn.code() == Code::INVALID => Some("no instruction"),
        _ if insn.has_lock_prefix() => Some("lock NAME"),
        Mnemonic::Xchg if memory => Some("NAME with memory, which locks"),
        _ => None,
    }
}

/// Decodes all executable sections, and what the list names as code elsewhere.
pub(super) fn functions(file: &object::File, exceptions: &Exceptions) -> Result<Vec<Function>> {
    let mut functions = Vec::new();
    for section in file.sections() {
        use SectionKind::{ReadOnlyData, ReadOnlyString, Text};
        if !matches!(section.kind(), Text | ReadOnlyData | ReadOnlyString) {
            continue;
        }
        let executable = section.kind() == Text;
        let found = of_section(file, &section, exceptions)?;
        functions.extend(found.into_iter().filter(|f| executable || exceptions.names(&f.name)));
    }
    ensure!(functions.iter().any(|f| !f.instructions.is_empty()), "there is no code");
    Ok(functions)
}

/// The pieces of a section from one symbol of code to the next.
fn of_section(
    file: &object::File,
    section: &object::Section,
    exceptions: &Exceptions,
) -> Result<Vec<Function>> {
    let data = section.uncompressed_data()?;
    let names = names(file, section);
    let (first, end) = (section.address(), section.address() + data.len() as u64);
    let nameless = format!("(start of {})", section.name()?);
    let mut functions = Vec::new();
    let mut from = first;
    for to in names.keys().copied().filter(|&start| start > first).chain([end]) {
        let name = names.get(&from).map_or(&nameless, |(_, name)| name);
        let bytes = &data[usize::try_from(from - first)?..usize::try_from(to - first)?];
        functions.push(Function::decode(name.clone(), from, bytes, exceptions.kind(name)));
        from = to;
    }
    Ok(functions)
}

/// Where functions begin, and their names; a function's symbol wins over a label's.
fn names(file: &object::File, section: &object::Section) -> BTreeMap<u64, (bool, String)> {
    let mut names = BTreeMap::new();
    let end = section.address() + section.size();
    for symbol in file.symbols() {
        let inside = symbol.section_index() == Some(section.index()) && symbol.address() < end;
        let kind = symbol.kind();
        let code = matches!(kind, SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown);
        let name = symbol.name().unwrap_or_default();
        if !inside || !code || name.is_empty() {
            continue;
        }
        let function = (kind == SymbolKind::Text, format!("{:#}", rustc_demangle::demangle(name)));
        let entry = names.entry(symbol.address()).or_insert_with(|| function.clone());
        if function.0 && !entry.0 {
            *entry = function;
        }
    }
    names
}
