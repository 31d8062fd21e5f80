# Entry stubs of exceptions and interrupts: all registers to the stack as `arch::trap::Frame`, then Rust.
#
# Interrupts are off in the kernel but at `sti; hlt`, so a stub is never entered twice but by the
# NMI, the double fault and the machine check, which have stacks of their own.

.macro STUB vector error
.balign 16
trap_\vector:
    .if \error == 0
    pushq $0                    # the CPU pushes an error code for some vectors only
    .endif
    pushq $\vector
    .if (\vector == 2) || (\vector == 8) || (\vector == 18)
    jmp trap_anywhere
    .else
    testb $3, 24(%rsp)          # the code segment that was interrupted
    jnz atoll_trap_from_user
    jmp trap_common
    .endif
.endm

.altmacro
.macro STUBS from to
    .set n, \from
    .rept \to - \from + 1
        STUB_OF %n
        .set n, n + 1
    .endr
.endm
.macro INTERRUPTS from to
    .set n, \from
    .rept \to - \from + 1
        INTERRUPT %n
        .set n, n + 1
    .endr
.endm
.macro INTERRUPT vector
.balign 16
trap_\vector:
    pushq $0
    pushq $\vector
    testb $3, 24(%rsp)
    jnz atoll_interrupt_from_user
    jmp interrupt_at_halt
.endm
.macro STUB_OF vector
    .if (\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
    STUB \vector 1
    .else
    STUB \vector 0
    .endif
.endm
.macro ADDRESS_OF vector
    .quad trap_\vector
.endm

.macro SAVE
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
.endm

.macro RESTORE
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
    addq $16, %rsp
.endm

.section .text
STUBS 0 31
INTERRUPTS 64 79

.balign 16
.type trap_common, @function
trap_common:
    SAVE
    cld
    movq %rsp, %rdi
    call atoll_trap             # 22 words are on the stack: it is aligned to 16
    RESTORE
    iretq
.size trap_common, . - trap_common

# Vectors with a stack of their own may come at any instruction, also between an entry from user mode and its
# `swapgs`. So they take the base of GS from the top of their stack, and put back what was there.
.balign 16
.type trap_anywhere, @function
trap_anywhere:
    SAVE
    cld
    movl $0xc0000101, %ecx      # the base of GS
    rdmsr
    movl %eax, %r12d
    movl %edx, %r13d
    movq 176(%rsp), %rax        # this core's memory, above the frame
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
    movq %rsp, %rdi
    call atoll_trap
    movl $0xc0000101, %ecx
    movl %r12d, %eax
    movl %r13d, %edx
    wrmsr
    RESTORE
    iretq
.size trap_anywhere, . - trap_anywhere

# atoll_registers(frame): the registers as the caller has them, as a trap would save them; the frame is zero before.
.type atoll_registers, @function
.globl atoll_registers
atoll_registers:
    movq %r15, (%rdi)
    movq %r14, 8(%rdi)
    movq %r13, 16(%rdi)
    movq %r12, 24(%rdi)
    movq %r11, 32(%rdi)
    movq %r10, 40(%rdi)
    movq %r9, 48(%rdi)
    movq %r8, 56(%rdi)
    movq %rbp, 64(%rdi)
    movq %rdi, 72(%rdi)
    movq %rsi, 80(%rdi)
    movq %rdx, 88(%rdi)
    movq %rcx, 96(%rdi)
    movq %rbx, 104(%rdi)
    movq %rax, 112(%rdi)
    popq %rax                   # the return address; RSP is the caller's
    movq %rax, 136(%rdi)
    movw %cs, 144(%rdi)
    pushfq
    popq 152(%rdi)
    movq %rsp, 160(%rdi)
    movw %ss, 168(%rdi)
    jmp *%rax
.size atoll_registers, . - atoll_registers

# An interrupt in the kernel comes in `atoll_halt` alone, which is a function for its caller: nobody misses the registers
# that a function may lose, and none is saved. Nor does anybody go back to it, as all that is left of it is to return with
# interrupts off. Above the vector are the six words that it returns past, and the stack is aligned to 16.
.balign 16
.type interrupt_at_halt, @function
interrupt_at_halt:
    popq %rdi                   # the vector
    call atoll_interrupt
    movq 32(%rsp), %rsp         # as `atoll_halt` had it
    ret
.size interrupt_at_halt, . - interrupt_at_halt

# sti takes effect after the next instruction, so an interrupt that is pending ends the hlt. An NMI in
# between would end that grace: the trap handler steps over the hlt for whoever comes back to it.
.balign 16
.globl atoll_halt
.type atoll_halt, @function
atoll_halt:
    sti
.globl atoll_halt_hlt
atoll_halt_hlt:
    hlt
    cli
    ret
.size atoll_halt, . - atoll_halt

.section .rodata
.balign 8
.globl atoll_trap_stubs
atoll_trap_stubs:
    .set n, 0
    .rept 32
        ADDRESS_OF %n
        .set n, n + 1
    .endr
    .set n, 64
    .rept 16
        ADDRESS_OF %n
        .set n, n + 1
    .endr
.noaltmacro
