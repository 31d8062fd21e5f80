# A guest for the counting plugin whose two cores throw a word in memory to and fro, and then do known
# amounts of work each.

.include "common.s"

.set WORD, 0x7000               # 0: to be asked; 1: asked; 2: answered; 3: the other one's work
.set PAGE, 0x8000               # where a core starts that is told to start on page 8
.set COMMAND, 0xfee00300        # the local APIC's interrupt command

.text
.globl start
start:
    movl $0x200000, %esp
    movl $0, WORD
    movl $other, %esi
    movl $PAGE, %edi
    movl $(other_end - other), %ecx
    rep movsb
    movl $0xc4500, COMMAND      # INIT to all others
    movl $0xc4608, COMMAND      # start-up on page 8
    call ask                    # waits until the other core is there

# Region 1: 50 times to and fro. The word's line moves four times: one core writes, the other reads and
# writes, the first reads.
    movl $50, %ebx
    marker 0
1:  call ask
    decl %ebx
    jnz 1b
    marker 1

# Region 2: the other core's 100 rounds of two instructions, and its store.
    marker 0
    movl $3, WORD
2:  pause
    cmpl $4, WORD
    jne 2b
    marker 1

    say rows
    leave 0

ask:
    movl $1, WORD
3:  pause
    cmpl $2, WORD
    jne 3b
    ret

.code16
other:
    xorw %ax, %ax
    movw %ax, %ds
4:  pause
    cmpw $3, WORD
    je 5f
    cmpw $1, WORD
    jne 4b
    movw $2, WORD
    jmp 4b
5:  movw $100, %cx
6:  decw %cx
    jnz 6b
    mfence
    movw $4, WORD
    hlt
other_end:

.section .rodata
rows:
.ascii "{\"experiment\":\"bounce\",\"region\":1,\"operations\":50}\n"
.ascii "{\"experiment\":\"work\",\"region\":2,\"operations\":1,"
.asciz "\"roles\":{\"first\":{\"vcpu\":0},\"other\":{\"vcpu\":1}}}\n"
