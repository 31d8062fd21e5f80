# What the guests share: the PVH note, markers, and printing. They run in 32-bit mode, as they are entered.

.section .note.pvh, "a", @note
.balign 4
.long 4, 8, 18
.asciz "Xen"
.quad start

.macro marker id
    .byte 0x0f, 0x1f, 0x80
    .long 0x41544c00 + \id
.endm
.macro say text
    movl $\text, %esi
    call print
.endm
.macro leave code
    movb $(16 + \code), %al
    outb %al, $0xf4
    hlt
.endm

.text
.code32
print:
    movl $0x3f8, %edx
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  ret

# Prints EAX.
decimal:
    movl $digits_end, %esi
    movl $10, %ecx
1:  xorl %edx, %edx
    divl %ecx
    addb $'0', %dl
    decl %esi
    movb %dl, (%esi)
    testl %eax, %eax
    jnz 1b
    jmp print

.data
digits: .skip 10
digits_end: .byte 0
