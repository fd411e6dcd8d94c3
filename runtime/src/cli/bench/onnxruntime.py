"""Runs a model with onnxruntime and times it, a turn for each line on standard input: see compare.rs."""

import platform
import statistics
import sys
import time

try:
    import numpy
    import onnxruntime
except ModuleNotFoundError as error:
    print("missing", error.name, flush=True)
    sys.exit()

model, given, shape, made, kept, threads, seconds = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
shape = [int(side) for side in shape.split("x")]
inputs = {session.get_inputs()[0].name: numpy.fromfile(given, "<f4").reshape(shape)}

session.run(None, inputs)[0][: int(kept)].astype("<f4").tofile(made)
print("ready", onnxruntime.__version__, platform.python_version(), flush=True)
for _ in sys.stdin:
    for _ in range(3):
        session.run(None, inputs)
    times, began = [], time.perf_counter()
    while not times or time.perf_counter() - began < float(seconds):
        start = time.perf_counter()
        session.run(None, inputs)
        times.append(time.perf_counter() - start)
    print("times", min(times), statistics.median(times), flush=True)
