// A plugin of QEMU that counts the instructions of a program, and prints the count at exit and at each `hint #100`.
//
// Declares what it uses of qemu-plugin.h (version 1 of the interface, QEMU 4.2 to 8.2), which Debian does not package.
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(id, void (*)(id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *to, uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int flags, void *);
void qemu_plugin_register_atexit_cb(id, void (*)(id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { ADD = 0, NO_REGISTERS = 0, MOST = 1 << 16 };
static const uint32_t MARK = 0xd503201f | 100 << 5;
static uint64_t executed, marks[MOST];
static size_t marked;

static void mark(unsigned cpu, void *unused) {
    if (marked < MOST) marks[marked++] = executed;
}

// Instructions are counted by blocks without branches, so a mark may be a few of them late.
static void translated(id plugin, struct qemu_plugin_tb *block) {
    size_t n = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD, &executed, n);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(insn), sizeof word);
        if (word == MARK) qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, NO_REGISTERS, NULL);
    }
}

static void over(id plugin, void *unused) {
    for (size_t i = 0; i < marked; i++) fprintf(stderr, "mark %" PRIu64 "\n", marks[i]);
    fprintf(stderr, "instructions %" PRIu64 "\n", executed);
}

__attribute__((visibility("default"))) int qemu_plugin_install(id plugin, const void *info, int argc, char **argv) {
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, translated);
    qemu_plugin_register_atexit_cb(plugin, over, NULL);
    return 0;
}
