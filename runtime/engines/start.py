"""From the start of a process to the PNG of one face: the programs of `engines` beside `runtime generate`, in turns.

    python start.py path/to/runtime path/to/engines dcgan64.onnx [rounds]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

runtime, engines, onnx = sys.argv[1:4]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 15

with tempfile.TemporaryDirectory() as folder:
    out = str(Path(folder) / "face.png")
    commands = {name: [engines, name, onnx, out] for name in ("rten", "tract")}
    commands["runtime, ONNX"] = [runtime, "generate", onnx, "--out", out]
    for precision in ("f32", "packed", "f16", "int8"):
        record = str(Path(folder) / f"{precision}.bpk")
        convert = [runtime, "convert", onnx, "--precision", precision, "--faces", "1", "--out", record]
        subprocess.run(convert, check=True, capture_output=True)
        commands[f"runtime, {precision}"] = [runtime, "generate", record, "--out", out]
    commands["runtime, its own model"] = [runtime, "generate", "--out", out]
    times = defaultdict(list)
    for _ in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times[name].append((time.perf_counter() - start) * 1e3)
    # The first round brings files into memory.
    first = times["rten"][1:]
    for name, all_of_it in times.items():
        values = all_of_it[1:]
        ratios = [a / b for a, b in zip(first, values)]
        # A process of its own, so that the most of all its children is that of this command.
        measure = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, capture_output=True); "
        measure += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        most = subprocess.run([sys.executable, "-c", measure, *commands[name]], check=True, capture_output=True).stdout
        print(
            f"{name:<24}{min(values):9.1f} ms least{statistics.median(values):9.1f} median"
            f"{statistics.median(ratios):8.2f} times rten{int(most) / 1024:8.1f} MiB"
        )
