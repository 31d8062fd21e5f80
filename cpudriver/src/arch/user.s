# User mode: into it, out of it by a system call, an exception or an interrupt, and copies from its memory.
#
# `atoll_run_user` is a function for its caller: it returns when the program traps, with the vector in RAX.
# The registers of the program lie at `PerCore::user` as `program::context::Registers`. The end of that structure is
# the stack pointer that the CPU switches to (TSS.RSP0), so an exception pushes its frame straight into it.

.section .text

# atoll_run_user(by_sysret: u64) -> vector
#
# Loses R12 to R15 as well, which its caller declares.
.balign 16
.globl atoll_run_user
.type atoll_run_user, @function
atoll_run_user:
    pushq %rbx
    pushq %rbp
    movq %rsp, %gs:{kernel_rsp}
    testl %edi, %edi
    jnz 1f
    movq %gs:{me}, %rsp
    leaq {registers}(%rsp), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp              # vector and error code
    swapgs
    iretq
1:  movq %gs:{registers}+0, %r15
    movq %gs:{registers}+8, %r14
    movq %gs:{registers}+16, %r13
    movq %gs:{registers}+24, %r12
    movq %gs:{registers}+40, %r10
    movq %gs:{registers}+48, %r9
    movq %gs:{registers}+56, %r8
    movq %gs:{registers}+64, %rbp
    movq %gs:{registers}+72, %rdi
    movq %gs:{registers}+80, %rsi
    movq %gs:{registers}+88, %rdx
    movq %gs:{registers}+104, %rbx
    movq %gs:{registers}+112, %rax
    movq %gs:{registers}+136, %rcx      # where SYSRET goes
    movq %gs:{registers}+152, %r11      # its flags
    movq %gs:{registers}+160, %rsp
    swapgs
    sysretq
.size atoll_run_user, . - atoll_run_user

# The target of SYSCALL: interrupts are off and the direction flag is clear (FMASK), the stack is still the
# program's. RCX and R11 are lost to the program. Vector, error code and segments stay what they were: safe to go to
# user mode with, like all that is ever put there.
.balign 16
.globl atoll_system_call
.type atoll_system_call, @function
atoll_system_call:
    swapgs
    movq %rsp, %gs:{registers}+160
    movq %r11, %gs:{registers}+152
    movq %rcx, %gs:{registers}+136
    movq %rax, %gs:{registers}+112
    movq %rbx, %gs:{registers}+104
    movq %rdx, %gs:{registers}+88
    movq %rsi, %gs:{registers}+80
    movq %rdi, %gs:{registers}+72
    movq %rbp, %gs:{registers}+64
    movq %r8, %gs:{registers}+56
    movq %r9, %gs:{registers}+48
    movq %r10, %gs:{registers}+40
    movq %r12, %gs:{registers}+24
    movq %r13, %gs:{registers}+16
    movq %r14, %gs:{registers}+8
    movq %r15, %gs:{registers}+0
    movl ${system_call}, %eax
    movq %gs:{kernel_rsp}, %rsp
    popq %rbp
    popq %rbx
    ret
.size atoll_system_call, . - atoll_system_call

# Exceptions in user mode, from `trap.s`: GS is the program's, the frame, error code and
# vector are in place.
.balign 16
.globl atoll_trap_from_user
.type atoll_trap_from_user, @function
atoll_trap_from_user:
    swapgs
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq 120(%rsp), %rax        # the vector
    movq %gs:{kernel_rsp}, %rsp
    cld
    popq %rbp
    popq %rbx
    ret
.size atoll_trap_from_user, . - atoll_trap_from_user

# Interrupts in user mode, from `trap.s`. Mostly a core has something to do that is over at once, and the program goes on: so
# only the registers that a function may change are kept, at their places, and the rest when the program does not go on.
.balign 16
.globl atoll_interrupt_from_user
.type atoll_interrupt_from_user, @function
atoll_interrupt_from_user:
    swapgs
    movq %rax, -8(%rsp)
    movq %rcx, -24(%rsp)
    movq %rdx, -32(%rsp)
    movq %rsi, -40(%rsp)
    movq %rdi, -48(%rsp)
    movq %r8, -64(%rsp)
    movq %r9, -72(%rsp)
    movq %r10, -80(%rsp)
    movq %r11, -88(%rsp)
    movq (%rsp), %rdi           # the vector
    movq %gs:{kernel_rsp}, %rsp
    cld
    subq $8, %rsp
    call atoll_interrupted
    testb %al, %al
    jz 1f
    movq %gs:{me}, %rsp
    leaq {registers}+120(%rsp), %rsp
    movq -8(%rsp), %rax
    movq -24(%rsp), %rcx
    movq -32(%rsp), %rdx
    movq -40(%rsp), %rsi
    movq -48(%rsp), %rdi
    movq -64(%rsp), %r8
    movq -72(%rsp), %r9
    movq -80(%rsp), %r10
    movq -88(%rsp), %r11
    addq $16, %rsp              # vector and error code
    swapgs
    iretq
1:  movq %rbx, %gs:{registers}+104
    movq %rbp, %gs:{registers}+64
    movq %r12, %gs:{registers}+24
    movq %r13, %gs:{registers}+16
    movq %r14, %gs:{registers}+8
    movq %r15, %gs:{registers}+0
    movq %gs:{registers}+120, %rax      # the vector
    addq $8, %rsp
    popq %rbp
    popq %rbx
    ret
.size atoll_interrupt_from_user, . - atoll_interrupt_from_user

# Copies between the memory of a program and the kernel's. All return 0, or 1 after a page fault: one between the
# labels `atoll_copy_start` and `atoll_copy_end` ends the copy (`trap.rs`). R8 says whether there is SMAP.

.macro OPEN
    movl %ecx, %r8d
    testl %ecx, %ecx
    jz 2f
    stac
2:
.endm

.balign 16
.globl atoll_copy_start
atoll_copy_start:

# atoll_copy_block(from: user address, to: *mut [u64; 8], done: offset, has_smap)
#
# The byte `done` is set to 0 on the way, which the program has done before: memory that it may not write
# faults now, and not when the outcome is there.
.globl atoll_copy_block
.type atoll_copy_block, @function
atoll_copy_block:
    OPEN
    movb $0, (%rdi,%rdx)
    movq (%rdi), %rax
    movq %rax, (%rsi)
    movq 24(%rdi), %rax
    movq %rax, 24(%rsi)
    movq 32(%rdi), %rax
    movq %rax, 32(%rsi)
    movq 40(%rdi), %rax
    movq %rax, 40(%rsi)
    movq 48(%rdi), %rax
    movq %rax, 48(%rsi)
    movq 56(%rdi), %rax
    movq %rax, 56(%rsi)
    jmp copy_done
.size atoll_copy_block, . - atoll_copy_block

# atoll_read_word(from: user address, 0, 0, has_smap) -> (failed, word)
.globl atoll_read_word
.type atoll_read_word, @function
atoll_read_word:
    OPEN
    movq (%rdi), %rdx
    jmp copy_done
.size atoll_read_word, . - atoll_read_word

# atoll_copy_words(from: user address, to: *mut u64, words, has_smap)
.globl atoll_copy_words
.type atoll_copy_words, @function
atoll_copy_words:
    OPEN
    movq %rdx, %rcx
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rax, %rsi
    rep movsq
    jmp copy_done
.size atoll_copy_words, . - atoll_copy_words

# atoll_write_word(to: user address, value, 0, has_smap)
.globl atoll_write_word
.type atoll_write_word, @function
atoll_write_word:
    OPEN
    movq %rsi, (%rdi)
    jmp copy_done
.size atoll_write_word, . - atoll_write_word

.globl atoll_copy_end
atoll_copy_end:

copy_done:
    xorl %eax, %eax
3:  testl %r8d, %r8d
    jz 4f
    clac
4:  ret
.globl atoll_copy_failed
atoll_copy_failed:
    movl $1, %eax
    jmp 3b
