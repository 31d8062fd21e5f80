//! Finds loops that can only end when another core writes to memory.

use std::collections::BTreeSet;

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register, UsedRegister,
};

/// Largest loop that is looked at, in instructions.
const LARGEST: usize = 32;

/// Branches back to the start of a loop in which every way round reads memory, changes nothing that the
/// next round depends on, and doesn't pause. Their addresses, and what they are.
pub(super) fn unpaused(instructions: &[Instruction]) -> Vec<(u64, String)> {
    let flow = Flow::of(instructions);
    let mut found = Vec::new();
    for (last, branch) in instructions.iter().enumerate() {
        let Some(first) = flow.target(branch).filter(|&first| first <= last) else { continue };
        let Some(body) = flow.natural_loop(first, last) else { continue };
        let mut rounds = Rounds { flow: &flow, body, last, path: Vec::new(), seen: 0 };
        if rounds.all_wait(first) && rounds.seen > 0 {
            found.push((branch.ip(), "a spin without pause".to_owned()));
        }
    }
    found
}

/// Where control goes within a function.
struct Flow<'a> {
    instructions: &'a [Instruction],
    before: Vec<Vec<usize>>,
}

impl<'a> Flow<'a> {
    fn of(instructions: &'a [Instruction]) -> Self {
        let mut flow = Self { instructions, before: vec![Vec::new(); instructions.len()] };
        for at in 0..instructions.len() {
            for next in flow.after(at) {
                flow.before[next].push(at);
            }
        }
        flow
    }

    fn target(&self, insn: &Instruction) -> Option<usize> {
        let branches = [FlowControl::ConditionalBranch, FlowControl::UnconditionalBranch];
        let target = branches.contains(&insn.flow_control()).then(|| insn.near_branch_target())?;
        self.instructions.binary_search_by_key(&target, Instruction::ip).ok()
    }

    fn after(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let insn = &self.instructions[at];
        let ends = matches!(
            insn.flow_control(),
            FlowControl::UnconditionalBranch
                | FlowControl::IndirectBranch
                | FlowControl::Return
                | FlowControl::Exception
        );
        let next = (!ends && at + 1 < self.instructions.len()).then_some(at + 1);
        next.into_iter().chain(self.target(insn))
    }

    /// The loop that the branch `last` closes: all that leads to it but not through `first`. `None` if
    /// it is too large, or gets on somewhere.
    fn natural_loop(&self, first: usize, last: usize) -> Option<BTreeSet<usize>> {
        let (mut body, mut left) = (BTreeSet::from([first]), vec![last]);
        while let Some(at) = left.pop() {
            if !body.insert(at) {
                continue;
            }
            left.extend(&self.before[at]);
            if body.len() > LARGEST {
                return None;
            }
        }
        body.iter().all(|&at| is_inert(&self.instructions[at])).then_some(body)
    }
}

/// The ways round a loop.
struct Rounds<'a> {
    flow: &'a Flow<'a>,
    body: BTreeSet<usize>,
    last: usize,
    path: Vec<usize>,
    seen: usize,
}

impl Rounds<'_> {
    /// Whether the loop waits on every way from `at` to its last branch.
    fn all_wait(&mut self, at: usize) -> bool {
        if self.path.contains(&at) || !self.body.contains(&at) {
            return true;
        }
        self.path.push(at);
        let wait = if at == self.last {
            self.seen += 1;
            let instructions = self.flow.instructions;
            waits(self.path.iter().map(|&at| &instructions[at]))
        } else {
            self.flow.after(at).all(|next| self.all_wait(next))
        };
        self.path.pop();
        wait
    }
}

/// Whether each round of the loop is like the one before, unless memory has changed meanwhile.
fn waits<'a>(round: impl Iterator<Item = &'a Instruction>) -> bool {
    let mut factory = InstructionInfoFactory::new();
    let (mut reads_memory, mut read, mut written) = (false, Vec::new(), Vec::new());
    for insn in round {
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
