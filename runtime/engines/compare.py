"""onnxruntime, OpenVINO, ncnn and PyTorch beside `runtime bench`, in turns, on one ONNX file: medians of milliseconds per face.

    python compare.py path/to/runtime dcgan64.onnx [threads] [batch] [rounds] [path/to/engines]

With the program of this folder, tract and rten too. These and ncnn make one face at a time. Engines whose Python package is missing
are left out: `pip install numpy onnx onnxruntime torch openvino ncnn pnnx`.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from collections import defaultdict
from importlib.util import find_spec

import numpy as np
import onnxruntime

program, path = sys.argv[1:3]
numbers = [int(a) for a in sys.argv[3:6]]
threads, batch, rounds = numbers + [1, 1, 7][len(numbers) :]
engines = sys.argv[6] if len(sys.argv) > 6 else None
SECONDS = 0.6
# That of the file, whose first axis may have a name.
SHAPE = [batch, *onnxruntime.InferenceSession(path).get_inputs()[0].shape[1:]]
LATENT = np.random.default_rng(0).standard_normal(SHAPE, np.float32)


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
    return lambda: session.run(None, {session.get_inputs()[0].name: LATENT})


def openvino_face():
    if not find_spec("openvino"):
        return None
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = core.read_model(path)
    model.reshape(SHAPE)
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer([LATENT])


def ncnn_face():
    if batch > 1 or not (find_spec("ncnn") and find_spec("pnnx")):
        return None
    import ncnn
    import pnnx

    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model")
        shutil.copy(path, model + ".onnx")
        shape = ",".join(map(str, SHAPE))
        convert = [pnnx.EXEC_PATH, model + ".onnx", f"inputshape=[{shape}]", "fp16=0"]
        subprocess.run(convert, check=True, capture_output=True, cwd=folder)
        net = ncnn.Net()
        net.opt.num_threads = threads
        net.opt.use_fp16_arithmetic = net.opt.use_fp16_storage = net.opt.use_fp16_packed = False
        net.load_param(model + ".ncnn.param")
        net.load_model(model + ".ncnn.bin")

    def face():
        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(LATENT[0]))
            return np.array(extractor.extract("out0")[1])

    session = onnxruntime.InferenceSession(path)
    want = session.run(None, {session.get_inputs()[0].name: LATENT})[0][0]
    off = np.abs(face() - want).max()
    assert off < 1e-4, f"ncnn's picture is off by {off}"
    return face


def torch_face():
    if not (find_spec("onnx") and find_spec("torch")):
        return None
    import onnx
    import torch
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
    latent = torch.tensor(LATENT).reshape(batch, -1, 1, 1)

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
    command = [program, "bench", path, "--best", "--json", "--precision", precision]
    command += ["--threads", str(threads), "--batch", str(batch), "--seconds", str(SECONDS)]
    out = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return out["rows"][0]["median_ms"] / batch


others = {
    "onnxruntime " + onnxruntime.__version__: onnxruntime_face(),
    "OpenVINO": openvino_face(),
    "ncnn": ncnn_face(),
    "PyTorch": torch_face(),
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
