# The PVH entry: from 32-bit protected mode without paging to 64-bit Rust in the higher half.
#
# On entry (Xen's PVH boot protocol): EBX = physical address of the start information, paging off,
# flat segments, interrupts off. This runs at its physical address, so it addresses the rest of the
# image as symbol - BASE.

.set BASE, 0xffffffff80000000
.set PRESENT_WRITE, 0x3
.set LARGE, 0x80

.section .note.pvh, "a", @note
.balign 4
.long 4                         # length of the name
.long 8                         # length of the descriptor: QEMU reads eight bytes of a 64-bit ELF
.long 18                        # XEN_ELFNOTE_PHYS32_ENTRY
.asciz "Xen"
.quad pvh_start

.section .boot, "ax"
.code32
.globl pvh_start
.type pvh_start, @function
pvh_start:
    cli
    cld
    movl %ebx, %esi             # cpuid below takes EBX

    movl $(__bss_start - BASE), %edi
    movl $(__bss_end - BASE), %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl

# The first 4 GiB, in pages of 2 MiB, at 0, at the direct map and (1 GiB of it) at BASE.
    movl $(atoll_boot_pdpt - BASE + PRESENT_WRITE), %eax
    movl %eax, (atoll_boot_pml4 - BASE)
    movl %eax, (atoll_boot_pml4 - BASE + 256 * 8)
    movl $(atoll_boot_pdpt_high - BASE + PRESENT_WRITE), (atoll_boot_pml4 - BASE + 511 * 8)
    movl $(atoll_boot_pd - BASE + PRESENT_WRITE), %eax
    movl %eax, (atoll_boot_pdpt_high - BASE + 510 * 8)
    movl $(atoll_boot_pdpt - BASE), %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b
    movl $(atoll_boot_pd - BASE), %edi
    movl $(LARGE + PRESENT_WRITE), %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b

    movl $0x80000001, %eax      # bit 20 of EDX: no-execute
    cpuid
    shrl $9, %edx
    andl $0x800, %edx           # EFER.NXE, if there is one
    orl $0x100, %edx            # EFER.LME
    movl %edx, %edi
    movl $0xc0000080, %ecx
    rdmsr
    orl %edi, %eax
    wrmsr

    movl $0x20, %eax            # CR4.PAE
    movl %eax, %cr4
    movl $(atoll_boot_pml4 - BASE), %eax
    movl %eax, %cr3
    movl $0x80010033, %eax      # CR0: PG, WP, NE, ET, MP, PE; caches on
    movl %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $8, $boot_long_mode
.size pvh_start, . - pvh_start

.code64
boot_long_mode:
    movabsq $boot_high, %rax
    jmp *%rax

.balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff    # 64-bit code
    .quad 0x00cf93000000ffff    # data
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt

.section .text
boot_high:
    movl $0x10, %eax
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    leaq atoll_boot_stack_top(%rip), %rsp
    xorl %ebp, %ebp             # the end of every backtrace
    movl %esi, %edi
    call atoll_boot
    ud2

# Not in .bss.*: the boot tables must lie below 4 GiB, and the image does.
.section .bss
.balign 4096
atoll_boot_pml4:      .skip 4096
atoll_boot_pdpt:      .skip 4096
atoll_boot_pdpt_high: .skip 4096
atoll_boot_pd:        .skip 4 * 4096
.globl atoll_boot_stack
atoll_boot_stack:     .skip 32768
.globl atoll_boot_stack_top
atoll_boot_stack_top:
.globl atoll_boot_ist_top
                      .skip 8192
atoll_boot_ist_top:

# atoll_move(root, stack_end, next, argument): never returns.
.section .text
.globl atoll_move
.type atoll_move, @function
atoll_move:
    movq %rdi, %cr3
    movq %rsi, %rsp
    xorl %ebp, %ebp
    movq %rcx, %rdi
    call *%rdx
    ud2
.size atoll_move, . - atoll_move
