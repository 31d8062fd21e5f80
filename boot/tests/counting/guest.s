# A guest for the counting plugin: a PVH kernel in 32-bit mode that executes known numbers of
# instructions between markers, and prints region rows with what its own clock says.

.section .note.pvh, "a", @note
.balign 4
.long 4, 8, 18
.asciz "Xen"
.quad start

.macro marker id
    .byte 0x0f, 0x1f, 0x80
    .long 0x41544c00 + \id
.endm
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
.macro say text
    movl $\text, %esi
    call print
.endm

.text
.code32
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
    movb $16, %al
    outb %al, $0xf4
    hlt

print:
    movl $0x3f8, %edx
2:  lodsb
    testb %al, %al
    jz 3f
    outb %al, %dx
    jmp 2b
3:  ret

# Prints EAX.
decimal:
    movl $digits_end, %esi
    movl $10, %ecx
4:  xorl %edx, %edx
    divl %ecx
    addb $'0', %dl
    decl %esi
    movb %dl, (%esi)
    testl %eax, %eax
    jnz 4b
    jmp print

.section .rodata
row_1: .asciz "{\"experiment\":\"nothing\",\"region\":1,\"operations\":1,\"clock\":"
row_2: .asciz "}\n{\"experiment\":\"operations\",\"region\":2,\"operations\":100,\"clock\":"
row_3:
    .ascii "}\n{\"experiment\":\"strings\",\"region\":3,\"operations\":1,\"roles\":"
    .asciz "{\"copy\":{\"phase\":1},\"fill\":{\"phase\":2},\"other\":{\"vcpu\":1}},\"clock\":"
row_end: .asciz "}\n"

.data
clocks: .skip 12
digits: .skip 10
digits_end: .byte 0
