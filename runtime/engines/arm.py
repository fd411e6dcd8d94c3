"""What the kernels cost on 64-bit Arm, without one: estimates, not measurements.

    python arm.py cycles                 cycles of each inner loop by llvm-mca, which assumes that every load hits the L1 cache
    python arm.py instructions MODEL     instructions of a face under QEMU, layer by layer

Needs what `.ci/neon` needs, which builds the program for both, and llvm-mca ($LLVM_MCA names another than the one in the path).
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MCA = os.environ.get("LLVM_MCA", "llvm-mca")
# LLVM has no schedule of its own for some cores and then takes that of the Cortex-A57, even for the A76; the Neoverse N1 is an A76
# for servers, and the Cortex-A710 the successor of the A78.
CORES = ["cortex-a53", "cortex-a55", "cortex-a72", "cortex-a76", "neoverse-n1", "cortex-a78", "cortex-a710"]
# CPU, and its instruction set here.
CPUS = [("cortex-a72", "neon"), ("cortex-a76", "dotprod"), ("max", "i8mm")]
PRECISIONS = ["packed", "f16", "int8"]
# Instructions that multiply: the products of one, and one that needs no other result.
KINDS = {
    "fmla 4s": (r"fml[as]\t.*\.4s", 4, "fmla v{}.4s, v30.4s, v31.s[0]"),
    "fmla 8h": (r"fml[as]\t.*\.8h", 8, "fmla v{}.8h, v30.8h, v15.h[0]"),
    "smlal": (r"sml?[au]l+2?\t.*\.8h", 8, "smlal v{}.8h, v30.8b, v31.8b"),
    "sdot": (r"su?dot\t", 16, "sdot v{}.4s, v30.16b, v31.4b[0]"),
    "usmmla": (r"usmmla\t", 32, "usmmla v{}.4s, v30.16b, v31.16b"),
}


def output(*command, **options) -> str:
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, **options).stdout


def program() -> pathlib.Path:
    return pathlib.Path(output(ROOT / ".ci" / "neon", "faces").split("\n")[-2])


def cycles(core: str, lines: list[str]) -> float:
    """Of one round of a loop."""
    rounds = 200
    attributes = "-mattr=+dotprod,+fullfp16,+i8mm"
    text = output(MCA, "-march=aarch64", f"-mcpu={core}", attributes, f"-iterations={rounds}", input="\n".join(lines))
    return int(re.search(r"Total Cycles:\s+(\d+)", text)[1]) / rounds


def products(body: list[str]) -> dict[str, int]:
    """Of each kind."""
    return {kind: n * sum(bool(re.match(pattern, line)) for line in body) for kind, (pattern, n, _) in KINDS.items()}


def loops(path: pathlib.Path):
    """The loops without another inside: function, lines."""
    dump = output("aarch64-linux-gnu-objdump", "--disassemble", "--demangle", "--no-show-raw-insn", path)
    for function in re.split(r"\n\n(?=[0-9a-f]+ <)", dump):
        head = re.match(r"[0-9a-f]+ <(.*)>:", function)
        if not head or "simd" not in head[1]:
            continue
        at, lines = {}, []
        for line in re.findall(r"^ +([0-9a-f]+):\t(.*)$", function, re.M):
            at[int(line[0], 16)] = len(lines)
            lines.append(line[1].split(" //")[0].strip())
        last = 0
        for i, line in enumerate(lines):
            jump = re.match(r"(b\.\w+|cbnz\t\w+,|cbz\t\w+,|b|tbn?z\t\w+, #\d+,)\s+([0-9a-f]+) <", line)
            if jump and (start := at.get(int(jump[2], 16), i)) < i and start >= last:
                body = lines[start : i + 1]
                # The jump back, without its address; jumps out of the loop cost next to nothing.
                yield head[1], [text for text in body if not re.match(r"(b\.|cbn?z|tbn?z|b\t)", text)] + ["b.ne\t0"]
                last = i + 1


def name(function: str) -> str | None:
    found = re.search(r"(\w+)(?:<[^<>]*>)? as runtime::simd::set::Compiled>::(\w+)", function)
    return f"{found[1]} {found[2]}" if found else None


def print_cycles():
    widest = {}
    for function, body in loops(program()):
        kernel, work = name(function), products(body)
        kind = max(work, key=work.get)
        if kernel and work[kind] >= 64 and work[kind] > widest.get((kernel, kind), (0,))[0]:
            widest[kernel, kind] = (work[kind], body)
    peaks = {}
    for core in CORES:
        for kind, (_, n, text) in KINDS.items():
            peaks[core, kind] = 14 * n / cycles(core, [text.format(i) for i in range(14)])
    print("multiply-adds per cycle by llvm-mca, and the share of what the multiplying instruction alone would reach;")
    print("multiply-adds per instruction\n")
    print("| kernel | " + " | ".join(CORES) + " | per instruction |")
    print("|---" * (len(CORES) + 2) + "|")
    for (kernel, kind), (work, body) in sorted(widest.items()):
        row = [f"{kernel}, {kind}"]
        for core in CORES:
            rate = work / cycles(core, body)
            row.append(f"{rate:.1f} ({100 * rate / peaks[core, kind]:.0f} %)")
        print("| " + " | ".join(row) + f" | {work / len(body):.1f} |")


def print_instructions(model: str):
    faces = program()
    with tempfile.TemporaryDirectory() as folder:
        plugin = pathlib.Path(folder) / "count.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", plugin, HERE / "arm" / "count.c"], check=True)
        table, close = collections.defaultdict(dict), {}
        for cpu, isa in CPUS:
            for precision in PRECISIONS:
                qemu = ["qemu-aarch64", "-cpu", cpu, "-L", "/usr/aarch64-linux-gnu", "-plugin", plugin, faces]
                done = subprocess.run([*qemu, model, precision], check=True, capture_output=True, text=True)
                marks = [int(line.split()[1]) for line in done.stderr.split("\n") if line.startswith("mark")]
                close[precision, isa], *lines = done.stdout.strip().split("\n")
                layers = [line.rsplit(" ", 1) for line in lines]
                for (layer, work), before, after in zip(layers, marks, marks[1:], strict=False):
                    table[layer, int(work)][precision, isa] = after - before
    columns = [(precision, isa) for precision in PRECISIONS for _, isa in CPUS]
    print("| layer | multiply-adds | " + " | ".join(f"{p}, {isa}" for p, isa in columns) + " |")
    print("|---" * (len(columns) + 2) + "|")
    sums = collections.Counter()
    for (layer, work), row in table.items():
        sums.update(row)
        print(f"| {layer} | {work:,} | " + " | ".join(f"{row[c]:,}" for c in columns) + " |")
    work = sum(work for _, work in table)
    print(f"| all | {work:,} | " + " | ".join(f"{sums[c]:,}" for c in columns) + " |")
    print("| against packed f32, 16 faces | | " + " | ".join(close[c] for c in columns) + " |")
    print("| multiply-adds per instruction | | " + " | ".join(f"{work / sums[c]:.2f}" for c in columns) + " |")


match sys.argv[1:]:
    case ["cycles"]:
        print_cycles()
    case ["instructions", model]:
        print_instructions(model)
    case _:
        sys.exit(__doc__)
