"""onnxruntime, OpenVINO and PyTorch beside `runtime bench`, in turns, on one ONNX file: medians of milliseconds a face.

    python compare.py path/to/runtime dcgan64.onnx [threads] [batch] [rounds] [path/to/engines]

With the program of this folder, tract and rten too, which make one face at a time.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np
import onnxruntime
import torch

from collections import defaultdict

program, path = sys.argv[1:3]
numbers = [int(a) for a in sys.argv[3:6]]
threads, batch, rounds = numbers + [1, 1, 7][len(numbers) :]
engines = sys.argv[6] if len(sys.argv) > 6 else None
SECONDS = 0.6


def timed(face) -> float:
    for _ in range(3):
        face()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        face()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3 / batch


def onnxruntime_face():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    latent = np.random.default_rng(0).standard_normal((batch, 100, 1, 1), np.float32)
    return lambda: session.run(None, {session.get_inputs()[0].name: latent})


def openvino_face():
    from importlib.util import find_spec

    if not find_spec("openvino"):
        return None
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = core.read_model(path)
    model.reshape([batch, 100, 1, 1])
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    latent = np.random.default_rng(0).standard_normal((batch, 100, 1, 1), np.float32)
    return lambda: request.infer([latent])


def torch_face():
    from importlib.util import find_spec

    if not find_spec("onnx"):
        return None
    import onnx
    from onnx import numpy_helper

    torch.set_num_threads(threads)
    weights = {w.name: torch.tensor(numpy_helper.to_array(w)) for w in onnx.load(path).graph.initializer}
    layers = []
    for node in onnx.load(path).graph.node:
        if node.op_type != "ConvTranspose":
            continue
        w = weights[node.input[1]]
        bias = weights[node.input[2]] if len(node.input) > 2 else None
        stride = next(a.ints[0] for a in node.attribute if a.name == "strides")
        padding = next((a.ints[0] for a in node.attribute if a.name == "pads"), 0)
        layers.append((w, bias, stride, padding))
    latent = torch.randn(batch, 100, 1, 1)

    @torch.inference_mode()
    def face():
        x = latent
        for i, (w, bias, stride, padding) in enumerate(layers):
            x = torch.conv_transpose2d(x, w, bias, stride, padding)
            x = torch.tanh_(x) if i + 1 == len(layers) else torch.relu_(x)
        return x

    return face


def other(engine: str) -> float:
    environment = os.environ | {"RTEN_NUM_THREADS": str(threads)}
    command = [engines, engine, path, str(SECONDS)]
    return float(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)


def ours(precision: str) -> float:
    command = [program, "bench", "--model", path, "--best", "--json", "--precision", precision]
    command += ["--threads", str(threads), "--batch", str(batch), "--seconds", str(SECONDS)]
    out = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return out["rows"][0]["median_ms"] / batch


others = {
    "onnxruntime " + onnxruntime.__version__: onnxruntime_face(),
    "OpenVINO": openvino_face(),
    "PyTorch " + torch.__version__: torch_face(),
}
results = defaultdict(list)
for _ in range(rounds):
    for name, face in others.items():
        if face:
            results[name].append(timed(face))
    for engine in ["tract", "rten"] if engines else []:
        results[engine].append(other(engine))
    for precision in ["f32", "packed", "f16", "int8"]:
        results["runtime " + precision].append(ours(precision))
first = next(iter(results))
for name, values in results.items():
    # A ratio a round: what disturbs the machine disturbs both.
    ratios = [a / b for a, b in zip(results[first], values)]
    print(f"{name:<28}{min(values):9.3f} least{statistics.median(values):9.3f} median{statistics.median(ratios):9.2f} times")
