//! Finds loops that can only end when another core writes to memory.

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register, UsedRegister,
};

/// Longest loop that is looked at, in instructions.
const LONGEST: usize = 24;

/// Backward branches that close a loop which reads memory, changes nothing that the next round depends
/// on, and doesn't pause. Their addresses, and what they are.
pub(super) fn unpaused(instructions: &[Instruction]) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    for (last, branch) in instructions.iter().enumerate() {
        let Some(first) = loop_start(instructions, last, branch) else { continue };
        if waits(&instructions[first..=last]) {
            found.push((branch.ip(), "a spin without pause".to_owned()));
        }
    }
    found
}

/// Where the branch goes back to, if it is near.
fn loop_start(all: &[Instruction], last: usize, branch: &Instruction) -> Option<usize> {
    let jumps = [FlowControl::ConditionalBranch, FlowControl::UnconditionalBranch];
    if !jumps.contains(&branch.flow_control()) {
        return None;
    }
    let target = branch.near_branch_target();
    let near = last.saturating_sub(LONGEST)..=last;
    near.into_iter().find(|&first| all[first].ip() == target)
}

/// Whether each round of the loop is like the one before, unless memory has changed meanwhile.
fn waits(body: &[Instruction]) -> bool {
    let mut factory = InstructionInfoFactory::new();
    let (mut reads_memory, mut read, mut written) = (false, Vec::new(), Vec::new());
    for insn in body {
        if !is_inert(insn) {
            return false;
        }
        let info = factory.info(insn);
        if info.used_memory().iter().any(|memory| writes(memory.access())) {
            return false;
        }
        reads_memory |= info.used_memory().iter().any(|memory| reads(memory.access()));
        let registers = info.used_registers();
        let fresh = |r: &&UsedRegister| reads(r.access()) && !written.contains(&full(r));
        read.extend(registers.iter().filter(fresh).map(full));
        written.extend(registers.iter().filter(|r| writes(r.access())).map(full));
    }
    reads_memory && !written.iter().any(|register| read.contains(register))
}

fn full(register: &UsedRegister) -> Register {
    register.register().full_register()
}

fn reads(access: OpAccess) -> bool {
    use OpAccess::{CondRead, Read, ReadCondWrite, ReadWrite};
    matches!(access, Read | CondRead | ReadWrite | ReadCondWrite)
}

fn writes(access: OpAccess) -> bool {
    use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
    matches!(access, Write | CondWrite | ReadWrite | ReadCondWrite)
}

/// Whether an instruction can be part of a spin: it stays in the loop or leaves it, and asks neither a
/// device nor a clock. `pause` and `hlt` are what a spin ought to have.
fn is_inert(insn: &Instruction) -> bool {
    use FlowControl::{ConditionalBranch, Next, UnconditionalBranch};
    let flows = matches!(insn.flow_control(), Next | ConditionalBranch | UnconditionalBranch);
    let asks = matches!(
        insn.mnemonic(),
        Mnemonic::Pause
            | Mnemonic::Hlt
            | Mnemonic::Mwait
            | Mnemonic::In
            | Mnemonic::Rdtsc
            | Mnemonic::Rdtscp
            | Mnemonic::Rdmsr
            | Mnemonic::Cpuid
            | Mnemonic::Rdrand
            | Mnemonic::Sti
    );
    flows && !asks
}
