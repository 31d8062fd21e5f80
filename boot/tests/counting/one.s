# A guest for the counting plugin that executes known numbers of instructions between markers, and prints
# region rows with what its own clock says.

.include "common.s"

.macro clock into
    rdtsc
    movl %eax, \into
.endm

# Keeps what the clock says that passed: not the move after the first reading, the two markers, and the
# second reading.
.macro keep number
    subl %ebp, %eax
    subl $4, %eax
    movl %eax, clocks + 4 * (\number - 1)
.endm

.text
.globl start
start:
    movl $0x200000, %esp

# Region 1: nothing.
    clock %ebp
    marker 0
    marker 1
    rdtsc
    keep 1

# Region 2: 100 operations of 8 instructions and a lap: a fence, two locks, a line written on the
# stack, an access across two lines, and one line twice.
    movl $100, %ecx
    clock %ebp
    marker 0
1:  pushl %ecx
    popl %ecx
    mfence
    lock incl 0x300000
    xchgl %ebx, 0x300004
    movl 0x30007e, %eax
    marker 2
    decl %ecx
    jnz 1b
    marker 1
    rdtsc
    keep 2

# Region 3: string instructions, of which about each iteration counts, in two phases.
    movl $100, %ecx
    movl $0x300000, %esi
    movl $0x300100, %edi
    clock %ebp
    marker 0
    marker 0x11
    rep movsb
    marker 0x12
    movl $64, %ecx
    rep stosb
    marker 1
    rdtsc
    keep 3

# Region 4 is cut short by region 5, which never ends.
    marker 0
    nop
    marker 0

    say row_1
    movl clocks, %eax
    call decimal
    say row_2
    movl clocks + 4, %eax
    call decimal
    say row_3
    movl clocks + 8, %eax
    call decimal
    say row_end
    leave 0

.section .rodata
row_1: .asciz "{\"experiment\":\"nothing\",\"region\":1,\"operations\":1,\"clock\":"
row_2: .asciz "}\n{\"experiment\":\"operations\",\"region\":2,\"operations\":100,\"clock\":"
row_3:
    .ascii "}\n{\"experiment\":\"strings\",\"region\":3,\"operations\":1,\"roles\":"
    .asciz "{\"copy\":{\"phase\":1},\"fill\":{\"phase\":2},\"other\":{\"vcpu\":1}},\"clock\":"
row_end: .asciz "}\n"

.data
clocks: .skip 12
