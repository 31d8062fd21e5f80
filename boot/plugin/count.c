/*
 * count.so: a QEMU plugin that counts what the guest executes between two markers.
 *
 * Markers are seven-byte NOPs, `nopl MAGIC+id(%rax)`, that any x86-64 executes as nothing. The guest's
 * side of them is cpudriver/src/arch/marker.rs, the reader of the output boot/src/bench/plugin.rs; what
 * a region counts is written down in boot/src/bench/mod.rs. All three must agree.
 *
 * Arguments: out=PATH (one line of JSON per region), lines=on|off (also follow memory accesses: slow),
 * profile=on|off (also count the executions of each instruction by itself: slow).
 * For machines whose vCPUs run one at a time only (-icount, or thread=single): nothing is locked here.
 *
 * Built by the host tool: cc -shared -fPIC -DPLUGIN_API=N count.c (N: see qemu.h).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu.h"

EXPORT int qemu_plugin_version = PLUGIN_API;

/* ---- Counts ---------------------------------------------------------------------------------- */

enum { VCPUS = 256, PHASES = 8, LONGEST = 15 };
enum { MARKER_BEGIN, MARKER_END, MARKER_LAP, MARKER_PHASE = 0x10 };

struct counts { uint64_t instructions, kernel, fences, locked, lines, transfers; };

/* What ran so far (written by the translated code itself), and how far it is attributed. */
static struct counts executed, attributed;
static unsigned int running;            /* the vCPU that runs */
static unsigned char phase_of[VCPUS];   /* what each vCPU said with its last phase marker */

static struct {
    bool open;
    uint64_t number, laps, markers;
    struct counts total, vcpu[VCPUS], phase[PHASES];
} region;

static FILE *out;
static bool follow_lines, profiled;

static void add(struct counts *to, const struct counts *now, const struct counts *then)
{
    to->instructions += now->instructions - then->instructions;
    to->kernel += now->kernel - then->kernel;
    to->fences += now->fences - then->fences;
    to->locked += now->locked - then->locked;
}

/* Attributes what ran since the last time to the vCPU and the phase that ran it. */
static void settle(void)
{
    add(&region.total, &executed, &attributed);
    add(&region.vcpu[running], &executed, &attributed);
    add(&region.phase[phase_of[running]], &executed, &attributed);
    attributed = executed;
}

static void switch_to(unsigned int vcpu)
{
    if (vcpu >= VCPUS) {
        fprintf(stderr, "count.so: vCPU %u, but it is built for %d\n", vcpu, VCPUS);
        exit(1);
    }
    if (vcpu != running) {
        settle();
        running = vcpu;
    }
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/*
 * Tables of the lines touched, open addressing. A slot of another epoch is empty, so that a lap empties
 * a table by counting up; within an epoch nothing is taken out.
 */
struct slot { uint64_t key, epoch, bits[VCPUS / 64]; };
struct table { struct slot *slots; size_t size, used; uint64_t epoch; };

static struct table lap_lines;      /* line -> phases that touched it in this lap */
static struct table lap_vcpu_lines; /* line and vCPU, touched in this lap */
static struct table holders;        /* line -> vCPUs whose cache would hold it, in this region */

static void clear(struct table *table)
{
    table->epoch++;
    table->used = 0;
}

static struct slot *find(struct table *table, uint64_t key)
{
    size_t at = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20);
    for (;; at++) {
        struct slot *slot = &table->slots[at & (table->size - 1)];
        if (slot->epoch != table->epoch || slot->key == key)
            return slot;
    }
}

static void grow(struct table *table)
{
    struct table old = *table;
    table->size = old.size ? old.size * 2 : 1 << 12;
    table->slots = calloc(table->size, sizeof *table->slots);
    if (!table->slots) {
        fprintf(stderr, "count.so: out of memory\n");
        exit(1);
    }
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].epoch == old.epoch)
            *find(table, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

/* The slot of a key, entered with no bit set when it was not there. */
static struct slot *enter(struct table *table, uint64_t key, bool *fresh)
{
    if (table->used * 2 >= table->size)
        grow(table);
    struct slot *slot = find(table, key);
    *fresh = slot->epoch != table->epoch;
    if (*fresh) {
        *slot = (struct slot){ .key = key, .epoch = table->epoch };
        table->used++;
    }
    return slot;
}

/*
 * Follows who would hold a line in private caches of unbounded size: a read by a vCPU that does not hold
 * it, or a write to a line that others hold, moves it. The first touch in a region moves nothing.
 */
static void follow_holders(uint64_t line, unsigned int vcpu, bool store)
{
    bool fresh;
    struct slot *slot = enter(&holders, line, &fresh);
    uint64_t own = UINT64_C(1) << (vcpu % 64);
    bool held = slot->bits[vcpu / 64] & own, others = false;
    for (unsigned int i = 0; i < VCPUS / 64; i++)
        others |= (slot->bits[i] & ~(i == vcpu / 64 ? own : 0)) != 0;
    if (!fresh && ((store && others) || !held)) {
        region.total.transfers++;
        region.vcpu[vcpu].transfers++;
        region.phase[phase_of[vcpu]].transfers++;
    }
    if (store)
        memset(slot->bits, 0, sizeof slot->bits);
    slot->bits[vcpu / 64] |= own;
}

static void touch(uint64_t line, unsigned int vcpu, bool store)
{
    bool fresh;
    uint64_t bit = UINT64_C(1) << phase_of[vcpu];
    struct slot *slot = enter(&lap_lines, line, &fresh);
    region.total.lines += fresh;
    region.phase[phase_of[vcpu]].lines += !(slot->bits[0] & bit);
    slot->bits[0] |= bit;
    enter(&lap_vcpu_lines, line * VCPUS + vcpu, &fresh);
    region.vcpu[vcpu].lines += fresh;
    follow_holders(line, vcpu, store);
}

static void on_access(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *unused)
{
    (void)unused;
    if (!region.open)
        return;
    struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, vaddr);
    if (where && qemu_plugin_hwaddr_is_io(where))
        return;
    uint64_t last = vaddr + (UINT64_C(1) << qemu_plugin_mem_size_shift(info)) - 1;
    bool store = qemu_plugin_mem_is_store(info);
    touch(vaddr >> 6, vcpu, store);
    if (last >> 6 != vaddr >> 6)
        touch(last >> 6, vcpu, store);
}

/* ---- Profile --------------------------------------------------------------------------------- */

/* How often a vCPU has executed the instruction at an address, in this region: address and vCPU -> bits[0]. */
static struct table executions;

/* Addresses are canonical, so that their topmost byte can be had again from the bit below. */
static void on_instruction(unsigned int vcpu, void *address)
{
    bool fresh;
    if (region.open)
        enter(&executions, (uint64_t)(uintptr_t)address * VCPUS + vcpu, &fresh)->bits[0]++;
}

/* All that were executed: [vCPU, address, times]. */
static void print_profile(void)
{
    const char *comma = "";
    fputs(",\"profile\":[", out);
    for (size_t i = 0; i < executions.size; i++) {
        const struct slot *slot = &executions.slots[i];
        if (slot->epoch != executions.epoch)
            continue;
        fprintf(out, "%s[%u,%" PRIu64 ",%" PRIu64 "]", comma, (unsigned int)(slot->key % VCPUS),
                (uint64_t)((int64_t)slot->key >> 8), slot->bits[0]);
        comma = ",";
    }
    fputc(']', out);
}

/* ---- Regions --------------------------------------------------------------------------------- */

static void print_counts(const char *before, const struct counts *counts)
{
    fprintf(out, "%s{\"instructions\":%" PRIu64 ",\"fences\":%" PRIu64 ",\"locked\":%" PRIu64,
            before, counts->instructions, counts->fences, counts->locked);
    if (counts->kernel != counts->instructions)
        fprintf(out, ",\"kernel\":%" PRIu64, counts->kernel);
    if (follow_lines)
        fprintf(out, ",\"lines\":%" PRIu64 ",\"transfers\":%" PRIu64, counts->lines,
                counts->transfers);
    fputc('}', out);
}

static void print_all(const char *name, const struct counts *counts, unsigned int n)
{
    char before[32];
    const char *comma = "";
    fprintf(out, ",\"%s\":{", name);
    for (unsigned int i = 0; i < n; i++) {
        if (!counts[i].instructions)
            continue;
        snprintf(before, sizeof before, "%s\"%u\":", comma, i);
        print_counts(before, &counts[i]);
        comma = ",";
    }
    fputc('}', out);
}

/* `ended` is false for a region that another one, or the end of the run, cut short. */
static void close_region(bool ended)
{
    settle();
    region.open = false;
    fprintf(out, "{\"region\":%" PRIu64 ",\"ended\":%s,\"laps\":%" PRIu64 ",\"markers\":%" PRIu64,
            region.number, ended ? "true" : "false", region.laps, region.markers);
    print_counts(",\"total\":", &region.total);
    print_all("vcpus", region.vcpu, VCPUS);
    print_all("phases", region.phase, PHASES);
    if (profiled)
        print_profile();
    fputs("}\n", out);
    fflush(out);
}

static void open_region(void)
{
    uint64_t number = region.number + 1;
    if (region.open)
        close_region(false);
    memset(&region, 0, sizeof region);
    memset(phase_of, 0, sizeof phase_of);
    region.open = true;
    region.number = number;
    attributed = executed;
    clear(&lap_lines);
    clear(&lap_vcpu_lines);
    clear(&holders);
    clear(&executions);
}

static void next_lap(void)
{
    region.laps++;
    clear(&lap_lines);
    clear(&lap_vcpu_lines);
}

static void on_marker(unsigned int vcpu, void *userdata)
{
    uintptr_t id = (uintptr_t)userdata;
    switch_to(vcpu);
    if (id == MARKER_BEGIN) {
        open_region();
    } else if (!region.open) {
        return;
    } else if (id == MARKER_END) {
        close_region(true);
    } else {
        settle();
        region.markers++;
        if (id == MARKER_LAP)
            next_lap();
        else
            phase_of[vcpu] = (unsigned char)(id - MARKER_PHASE);
    }
}

static void at_exit(qemu_plugin_id_t id, void *unused)
{
    (void)id, (void)unused;
    if (region.open)
        close_region(false);
    fclose(out);
}

/* ---- Translation ----------------------------------------------------------------------------- */

/* The id of a marker, or -1. */
static int marker_id(const unsigned char *code, size_t size)
{
    static const unsigned char nopl[] = { 0x0f, 0x1f, 0x80 }, magic[] = { 'L', 'T', 'A' };
    if (size != 7 || memcmp(code, nopl, 3) || memcmp(code + 4, magic, 3))
        return -1;
    int id = code[3];
    bool known = id <= MARKER_LAP || (id >= MARKER_PHASE && id < MARKER_PHASE + PHASES);
    return known ? id : -1;
}

static bool is_mfence(const unsigned char *code, size_t size)
{
    return size == 3 && code[0] == 0x0f && code[1] == 0xae && (code[2] & 0xf8) == 0xf0;
}

/* A lock prefix, or an exchange with memory, which locks without one. */
static bool is_locked(const unsigned char *code, size_t size)
{
    static const unsigned char prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3 };
    size_t at = 0;
    while (at < size && memchr(prefixes, code[at], sizeof prefixes))
        at++;
    if (at < size && code[at] == 0xf0)
        return true;
    if (at < size && (code[at] & 0xf0) == 0x40)
        at++;
    return at + 1 < size && (code[at] & 0xfe) == 0x86 && code[at + 1] < 0xc0;
}

#if COUNT_INLINE
static void count(struct qemu_plugin_insn *insn, uint64_t *counter)
{
    qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, counter, 1);
}
#else
static void on_count(unsigned int vcpu, void *counter)
{
    (void)vcpu;
    ++*(uint64_t *)counter;
}

static void count(struct qemu_plugin_insn *insn, uint64_t *counter)
{
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_count, CB_NO_REGS, counter);
}
#endif

static size_t bytes_of(const struct qemu_plugin_insn *insn, unsigned char code[LONGEST])
{
    size_t size = qemu_plugin_insn_size(insn);
    size = size < LONGEST ? size : LONGEST;
#if PLUGIN_API < 3
    memcpy(code, qemu_plugin_insn_data(insn), size);
    return size;
#else
    return qemu_plugin_insn_data(insn, code, size);
#endif
}

static void on_block(unsigned int vcpu, void *unused)
{
    (void)unused;
    switch_to(vcpu);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, CB_NO_REGS, NULL);
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        unsigned char code[LONGEST];
        size_t size = bytes_of(insn, code);
        int marker = marker_id(code, size);
        if (marker >= 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, CB_NO_REGS,
                                                   (void *)(uintptr_t)marker);
            continue;
        }
        count(insn, &executed.instructions);
        if (qemu_plugin_insn_vaddr(insn) >> 63)
            count(insn, &executed.kernel);
        if (is_mfence(code, size))
            count(insn, &executed.fences);
        if (is_locked(code, size))
            count(insn, &executed.locked);
        if (follow_lines)
            qemu_plugin_register_vcpu_mem_cb(insn, on_access, CB_NO_REGS, MEM_RW, NULL);
        if (profiled)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_instruction, CB_NO_REGS,
                                                   (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
    }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    const char *path = NULL;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            path = argv[i] + 4;
        else if (!strcmp(argv[i], "lines=on") || !strcmp(argv[i], "lines=off"))
            follow_lines = argv[i][7] == 'n';
        else if (!strcmp(argv[i], "profile=on") || !strcmp(argv[i], "profile=off"))
            profiled = argv[i][9] == 'n';
        else
            return fprintf(stderr, "count.so: unknown argument %s\n", argv[i]);
    }
    if (!info->system_emulation || strcmp(info->target_name, "x86_64"))
        return fprintf(stderr, "count.so: for qemu-system-x86_64 only\n");
    out = path ? fopen(path, "w") : NULL;
    if (!out)
        return fprintf(stderr, "count.so: cannot write to out=%s\n", path ? path : "(not given)");
    grow(&lap_lines), grow(&lap_vcpu_lines), grow(&holders), grow(&executions);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
