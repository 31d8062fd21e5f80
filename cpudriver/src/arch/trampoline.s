# The start of a core other than the boot core: from real mode to Rust.
#
# Between the two labels is what is copied to a page below 1 MiB, whose number the start-up interrupt
# carries. It goes from real mode to long mode in one step, with page tables that map the page itself
# and the kernel's half. The fields at its end are filled in when it is copied (`arch::trampoline`).

.section .rodata
.balign 16
.globl atoll_trampoline
atoll_trampoline:
.code16
    cli
    cld
    rdtsc                       # the first stamp, kept in EDI:ESI
    movl %eax, %esi
    movl %edx, %edi
    movw %cs, %ax
    movw %ax, %ds
    lgdtl (trampoline_gdt_pointer - atoll_trampoline)
    movl $0x20, %eax            # CR4.PAE
    movl %eax, %cr4
    movl (atoll_trampoline_root - atoll_trampoline), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl (atoll_trampoline_efer - atoll_trampoline), %eax
    wrmsr
    movl $0x80010033, %eax      # CR0: PG, WP, NE, ET, MP, PE; caches on
    movl %eax, %cr0
    ljmpl *(trampoline_far - atoll_trampoline)
.code64
trampoline_long:
    movabsq $atoll_core_entry, %rax
    jmp *%rax

.balign 8
trampoline_gdt:                 # "accessed" is set, for the page is read-only once paging is on
    .quad 0
    .quad 0x00af9b000000ffff    # 64-bit code
trampoline_gdt_pointer:
    .word . - trampoline_gdt - 1
.globl atoll_trampoline_gdt
atoll_trampoline_gdt:
    .long trampoline_gdt - atoll_trampoline # plus the page's address
.balign 4
trampoline_far:
.globl atoll_trampoline_long
atoll_trampoline_long:
    .long trampoline_long - atoll_trampoline # plus the page's address
    .word 8
.balign 4
.globl atoll_trampoline_root
atoll_trampoline_root:
    .long 0                     # page tables for the start
.globl atoll_trampoline_efer
atoll_trampoline_efer:
    .long 0                     # long mode, and no-execute if there is
.globl atoll_trampoline_end
atoll_trampoline_end:

# In the kernel's half, still without a stack: the core finds its argument slot by its APIC id, so that
# any number of cores may be here at once. A core without a slot, or one that is to be silent, halts.
.section .text
.type atoll_core_entry, @function
atoll_core_entry:
    rdtsc                       # the second stamp, in R10
    shlq $32, %rdx
    leaq (%rax,%rdx), %r10
    shlq $32, %rdi              # the first, in R9
    movl %esi, %esi
    leaq (%rsi,%rdi), %r9
    movq {root}(%rip), %rax
    movq %rax, %cr3

    xorl %eax, %eax             # leaf 11 has the whole id, leaf 1 its low eight bits
    cpuid
    cmpl $11, %eax
    jb 1f
    movl $11, %eax
    xorl %ecx, %ecx
    cpuid
    movl %edx, %r8d
    testl %ebx, %ebx
    jnz 2f
1:  movl $1, %eax
    cpuid
    shrl $24, %ebx
    movl %ebx, %r8d

2:  leaq {slots}(%rip), %rdi
    movl {count}(%rip), %ecx
3:  cmpl %r8d, {apic}(%rdi)
    je 4f
    addq ${slot_bytes}, %rdi
    decl %ecx
    jnz 3b
5:  cli
    hlt
    jmp 5b

4:  cmpl $0, {silent}(%rdi)
    jne 5b
    movq %r9, {trampoline_stamp}(%rdi)
    movq %r10, {long_mode_stamp}(%rdi)
    movq {stack}(%rdi), %rsp
    xorl %ebp, %ebp
    call {next}
    ud2
.size atoll_core_entry, . - atoll_core_entry
