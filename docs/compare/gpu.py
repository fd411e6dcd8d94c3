#!/usr/bin/env python3
"""Compares this project with PyTorch on the same GPU: one table and one JSON file, in at most five minutes.

    cargo build --release -p runtime --features gpu
    cargo build --release -p trainer --features gpu
    python3 docs/compare/gpu.py

In this order: the adapter; a generator of the DCGAN tutorial, trained for one step; its pictures on the GPU against the CPU's; faces
per second, 1, 64 and 1024 at a time, in 32 and 16 bits; the launches of a training step; images per second of `trainer fit`; the same
in PyTorch, if the Python that runs this (or --python) has it with CUDA; the ratios. A part that fails, or takes longer than its share
of the time, is listed as "left out". Without a GPU, or with a software one, most parts are.

Only the standard library is needed. PyTorch's inference rows replay a CUDA graph on latents that are on the card, and nothing is read
back; ours draw latents on the CPU and read the pixels' bytes back.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

START = time.monotonic()
# Channels of the tutorial's generator, for PyTorch if ours could not be inspected.
TUTORIAL = [100, 512, 256, 128, 64, 3]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", default="target/release/runtime", help="the built program [%(default)s]")
    parser.add_argument("--trainer", default="target/release/trainer", help="the built program [%(default)s]")
    parser.add_argument("--device", default="vulkan", help="vulkan, or vulkan:N as listed by `runtime devices` [%(default)s]")
    parser.add_argument("--model", help="generator to measure [one of the tutorial's, made by --trainer]")
    parser.add_argument("--python", default=sys.executable, help="a Python that has PyTorch [this one]")
    parser.add_argument("--json", default="gpu.json", help="file to write [%(default)s]")
    parser.add_argument("--seconds", type=float, default=290, help="time for everything [%(default)s]")
    parser.add_argument("--torch-rows", metavar="SECONDS", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def complaint(text):
    """The error line of a program's output."""
    lines = [line for line in text.splitlines() if line.strip() and "XDG_RUNTIME_DIR" not in line]
    errors = [line for line in lines if line.startswith("error")]
    return (errors or lines or [""])[-1][:200]


class Report:
    """What was measured and what was left out."""

    def __init__(self, args):
        self.args = args
        self.values = {}
        self.left_out = []
        self.env = dict(os.environ, NODEVICE_SELECT="1")
        # With less time in all, every part has less.
        self.scale = min(1, args.seconds / 290)

    def left(self):
        """Seconds left in all."""
        return self.args.seconds - (time.monotonic() - START)

    def skip(self, what, why):
        self.left_out.append({"part": what, "why": why})
        print(f"  left out: {what}: {why}", file=sys.stderr)

    def run(self, what, command, limit):
        """The output of a command, or None if it failed or took too long."""
        limit = min(max(10, limit * self.scale), self.left())
        if limit < 2:
            self.skip(what, "no time left")
            return None
        print(f"{time.monotonic() - START:4.0f} s  {what}", file=sys.stderr)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=self.env)
        except subprocess.TimeoutExpired:
            self.skip(what, f"not done after {limit:.0f} s")
            return None
        except OSError as error:
            self.skip(what, f"{command[0]}: {error.strerror}")
            return None
        if done.returncode != 0:
            self.skip(what, complaint(done.stderr) or f"exit code {done.returncode}")
            return None
        return done.stdout

    def run_json(self, what, command, limit):
        """The parsed output of a command that prints JSON."""
        text = self.run(what, command, limit)
        if text is None:
            return None
        try:
            return json.loads(text)
        except ValueError:
            self.skip(what, "the output is not JSON")
            return None


def find_adapter(report):
    """The adapter's line of `runtime devices`."""
    text = report.run("devices", [report.args.runtime, "devices"], 20)
    if text is None:
        return None
    lines = [line.split(None, 1) for line in text.splitlines() if line.startswith("vulkan:")]
    real = [line for line in lines if "software" not in line[1]]
    wanted = report.args.device
    chosen = [line for line in lines if line[0] == wanted] or real or lines
    if not chosen:
        report.skip("everything on a GPU", "Vulkan finds no adapter, or the program was built without the feature gpu")
        return None
    report.values["adapter"] = chosen[0][1]
    return {"name": chosen[0][1], "software": "software" in chosen[0][1], "half": "no f16" not in chosen[0][1]}


def make_model(report, folder, software):
    """The arguments that name a generator of the tutorial after one step, or none for the built-in model."""
    args = report.args
    if args.model:
        return [args.model]
    if software:
        report.skip("the tutorial's generator", "a software adapter is too slow for it: using the built-in model, which is smaller")
        return []
    out = os.path.join(folder, "tutorial")
    command = [args.trainer, "fit", "--recipe", "dcgan-tutorial", "--out", out, "--device", args.device]
    settings = ["drawn=256", "held_out=0", "score_every=0", "grid_every=100000000"]
    sets = [word for setting in settings for word in ("--set", setting)]
    made = report.run("a generator of the tutorial", command + ["--images", "128"] + sets, 60)
    path = os.path.join(out, "export", "generator.bpk")
    if made is not None and os.path.exists(path):
        return [path]
    report.skip("the tutorial's generator", "using the built-in model, which is smaller")
    return []


def channels_of(report, model):
    """Channels of a generator of transposed convolutions, from the latent on, so that PyTorch can build the same."""
    text = report.run("the network", [report.args.runtime, "inspect", *model], 20) or ""
    latent = re.search(r"latent\s+(\d+) values", text)
    layers = re.findall(r"ConvTranspose (\d+) 4 ([12]) ([01])\s", text)
    strides = [(int(stride), int(padding)) for _, stride, padding in layers]
    if not latent or strides != [(1, 0)] + [(2, 1)] * (len(layers) - 1) or len(layers) < 2:
        return None
    return [int(latent.group(1))] + [int(out) for out, _, _ in layers]


def read_pixels(path):
    """The bytes of the pixels of a portable arbitrary map."""
    with open(path, "rb") as file:
        head, end, pixels = file.read().partition(b"ENDHDR\n")
    if not head.startswith(b"P7") or not end:
        raise ValueError(f"{path} is not a portable arbitrary map")
    return pixels


def measure_parity(report, model, folder, adapter):
    """The largest difference of a pixel between the GPU's pictures and the CPU's."""
    grid = "2x4" if adapter["software"] else "8x8"
    pictures = {}
    devices = {"cpu": [], "f32": [report.args.device], "f16": [report.args.device, "--half"]}
    for name, device in devices.items():
        if name == "f16" and not adapter["half"]:
            report.skip("parity in 16 bits", "the adapter has no 16-bit floats")
            continue
        path = os.path.join(folder, f"{name}.pam")
        command = [report.args.runtime, "generate", *model, "--grid", grid, "--out", path]
        made = report.run(f"pictures, {name}", command + ["--device"] + (device or ["cpu"]), 30)
        if made is not None:
            pictures[name] = read_pixels(path)
    parity = {}
    for name in ("f32", "f16"):
        if "cpu" in pictures and name in pictures:
            pairs = [abs(a - b) for a, b in zip(pictures["cpu"], pictures[name])]
            parity[name] = {
                "largest": max(pairs),
                "share_that_differs": sum(d > 0 for d in pairs) / len(pairs),
            }
    report.values["parity_255"] = parity


def measure_inference(report, model, adapter):
    """Faces per second, 1, 64 and 1024 at a time."""
    batches = [4] if adapter["software"] else [64, 1024]
    if adapter["software"]:
        report.skip("64 and 1024 faces", "a software adapter is too slow for them")
    rows = {}
    for precision in ("f32", "f16"):
        if precision == "f16" and not adapter["half"]:
            continue
        for batch in batches:
            command = [report.args.runtime, "bench", *model, "--device", report.args.device, "--json"]
            command += ["--batch", str(batch), "--seconds", f"{max(0.2, 0.8 * report.scale):.2f}"]
            command += ["--half"] if precision == "f16" else []
            made = report.run_json(f"{batch} faces, {precision}", command, 30)
            for row in made["rows"] if made else []:
                rows[f"{precision} {row['batch']}"] = row
            if made:
                report.values["peak_multiply_adds_per_s"] = made["peak_multiply_adds_per_s"]
                layers = {"batch": made["layers_batch"], "layers": made["layers"]}
                report.values.setdefault("layers", {})[f"{precision} {batch}"] = layers
    report.values["inference"] = rows


def measure_step(report):
    """The launches of a training step."""
    steps = {}
    for precision, batch in (("f32", 128), ("mixed", 512)):
        command = [report.args.trainer, "bench", "--device", report.args.device, "--recipe", "dcgan-tutorial", "--json"]
        command += ["--batch", str(batch), "--seconds", str(max(1, round(2 * report.scale)))]
        command += ["--precision", precision] if precision != "f32" else []
        made = report.run_json(f"a training step, batch {batch}, {precision}", command, 25)
        if made:
            steps[f"{precision} {batch}"] = made
    report.values["step"] = steps


def follow(report, what, command, run, limit):
    """Runs `trainer fit` for a while. Returns its final pace and the seconds until it was reached."""
    limit = min(max(4.5, limit * report.scale), report.left())
    if limit < 4:
        report.skip(what, "no time left")
        return None
    print(f"{time.monotonic() - START:4.0f} s  {what}", file=sys.stderr)
    begin = time.monotonic()
    log = open(run + ".log", "w+", encoding="utf-8")
    try:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=report.env)
    except OSError as error:
        report.skip(what, f"{command[0]}: {error.strerror}")
        return None
    rows, position = [], 0
    while child.poll() is None and time.monotonic() - begin < limit:
        time.sleep(0.05)
        try:
            with open(os.path.join(run, "stats.jsonl"), encoding="utf-8") as file:
                file.seek(position)
                lines = file.read()
        except OSError:
            continue
        # The last line may be half written.
        whole = lines[: lines.rfind("\n") + 1]
        position += len(whole.encode())
        for line in whole.splitlines():
            rows.append((time.monotonic() - begin, json.loads(line)["images"]))
    if child.poll() is None:
        child.kill()
    child.wait()
    paces = [
        ((images - before) / max(at - earlier, 1e-9), earlier)
        for (earlier, before), (at, images) in zip(rows, rows[1:])
    ]
    if len(paces) < 3:
        log.seek(0)
        failed = complaint(log.read()) if child.returncode not in (0, -9) else ""
        report.skip(what, failed or f"no pace within {limit:.0f} s")
        return None
    steady = statistics.median(pace for pace, _ in paces[len(paces) // 2 :])
    full = next(earlier for pace, earlier in paces if pace >= 0.9 * steady)
    return {"images_per_s": steady, "seconds_to_full_pace": full}


def measure_fit(report, folder):
    """Images per second of `trainer fit`."""
    rows = {}
    cases = [(recipe, batch) for recipe, batch in (("dcgan-tutorial", 128), ("dcgan-tutorial", 512), ("faces", None))]
    for recipe, batch in cases:
        for precision in ("f32", "mixed"):
            name = f"{recipe}{f' {batch}' if batch else ''} {precision}"
            run = os.path.join(folder, name.replace(" ", "-"))
            command = [report.args.trainer, "fit", "--recipe", recipe, "--out", run, "--device", report.args.device]
            command += ["--batch", str(batch)] if batch else []
            command += ["--precision", precision] if precision != "f32" else []
            command += ["--images", "100000000"]
            settings = ["drawn=4096", "held_out=0", "score_every=0", "grid_every=100000000", "checkpoint_every=100000000"]
            settings += [f"log_every={2560 if batch else 512}"]
            command += [word for setting in settings for word in ("--set", setting)]
            if report.left() < 0.3 * report.args.seconds:
                report.skip(f"fit, {name}", "no time left")
                continue
            row = follow(report, f"fit, {name}", command, run, 14)
            if row:
                rows[name] = row
    report.values["fit"] = rows


def measure_torch(report, channels):
    """PyTorch's rows, from a process of its own. Rows printed before it fails or times out are kept."""
    limit = min(90, report.left() - 2)
    if limit < 12:
        report.skip("PyTorch", "no time left")
        return
    print(f"{time.monotonic() - START:4.0f} s  PyTorch", file=sys.stderr)
    command = [report.args.python, os.path.abspath(__file__), "--torch-rows", str(limit - 4)]
    env = dict(report.env, TORCH_CHANNELS=json.dumps(channels or TUTORIAL))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        try:
            code = subprocess.run(command, stdout=out, stderr=errors, timeout=limit, env=env).returncode
        except subprocess.TimeoutExpired:
            code = None
        except OSError as error:
            report.skip("PyTorch", f"{command[0]}: {error.strerror}")
            return
        out.seek(0)
        errors.seek(0)
        last = (errors.read().strip().splitlines() or [""])[-1][:200]
        rows = [json.loads(line) for line in out.read().splitlines() if line.startswith("{") and line.endswith("}")]
    report.values["torch"] = {row.pop("name"): row for row in rows if "failed" not in row}
    for row in rows:
        if "failed" in row:
            report.skip(f"PyTorch, {row['name']}", row["failed"][:200])
    if code is None:
        report.skip("PyTorch's other rows", f"not done after {limit:.0f} s")
    elif code != 0:
        report.skip("PyTorch", last or f"exit code {code}")


def torch_rows(seconds):
    """Runs in the process of `measure_torch`: prints one line of JSON per row."""
    try:
        import torch
    except ImportError:
        sys.exit("this Python has no PyTorch")
    from torch import nn

    if not torch.cuda.is_available():
        sys.exit(f"PyTorch {torch.__version__} finds no CUDA device")
    device = torch.device("cuda")
    torch.backends.cudnn.benchmark = True
    channels = json.loads(os.environ["TORCH_CHANNELS"])

    def emit(name, **values):
        print(json.dumps({"name": name, **values}), flush=True)

    emit("device", card=torch.cuda.get_device_name(), version=torch.__version__)

    def generator():
        layers = []
        for i, (a, b) in enumerate(zip(channels, channels[1:])):
            layers.append(nn.ConvTranspose2d(a, b, 4, 2 if i else 1, 1 if i else 0, bias=False))
            if i + 2 < len(channels):
                layers += [nn.BatchNorm2d(b), nn.ReLU(True)]
        return nn.Sequential(*layers, nn.Tanh()).to(device)

    def discriminator():
        wide = channels[:0:-1]
        layers = []
        for i, (a, b) in enumerate(zip(wide, wide[1:])):
            layers.append(nn.Conv2d(a, b, 4, 2, 1, bias=False))
            layers += ([nn.BatchNorm2d(b)] if i else []) + [nn.LeakyReLU(0.2, True)]
        return nn.Sequential(*layers, nn.Conv2d(wide[-1], 1, 4, 1, 0, bias=False)).to(device)

    def allow_tf32(allowed):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed

    def timed(work, each, span):
        """Calls per second, synchronizing after each group."""
        torch.cuda.synchronize()
        start, count = time.monotonic(), 0
        while time.monotonic() - start < span:
            for _ in range(each):
                work()
            torch.cuda.synchronize()
            count += each
        return count / (time.monotonic() - start)

    def captured(work):
        """A CUDA graph of some work, after a warm-up on another stream."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return graph

    def infer(batch, half, tf32, span):
        allow_tf32(tf32)
        net = generator().eval()
        z = torch.randn(batch, channels[0], 1, 1, device=device)
        if half:
            net, z = net.half().to(memory_format=torch.channels_last), z.half()
        with torch.no_grad():
            graph = captured(lambda: net(z))
        rate = timed(graph.replay, 20, span)
        return {"ms": 1e3 / rate, "faces_per_s": batch * rate}

    def train(batch, mode, span):
        torch.manual_seed(0)
        allow_tf32(mode == "tf32")
        layout = torch.contiguous_format if mode == "f32" else torch.channels_last
        g, d = generator().to(memory_format=layout), discriminator().to(memory_format=layout)
        adam = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True, "capturable": True}
        opt_g, opt_d = torch.optim.Adam(g.parameters(), **adam), torch.optim.Adam(d.parameters(), **adam)
        side = 4 * 2 ** (len(channels) - 2)
        real = torch.rand(batch, channels[-1], side, side, device=device).mul_(2).sub_(1).to(memory_format=layout)
        softplus = nn.functional.softplus

        def autocast():
            return torch.autocast("cuda", torch.bfloat16, enabled=mode == "bf16")

        def step():
            z = torch.randn(batch, channels[0], 1, 1, device=device)
            opt_d.zero_grad(set_to_none=True)
            with autocast():
                fake = g(z)
                loss = softplus(-d(real).float()).mean() + softplus(d(fake.detach()).float()).mean()
            loss.backward()
            opt_d.step()
            opt_g.zero_grad(set_to_none=True)
            with autocast():
                loss = softplus(-d(fake).float()).mean()
            loss.backward()
            opt_g.step()

        for _ in range(4):
            step()
        emit(f"train {mode} {batch}", images_per_s=batch * timed(step, 5, span))
        graph = captured(step)
        emit(f"train {mode} {batch} graph", images_per_s=batch * timed(graph.replay, 5, span))

    cases = [("infer f32", n, lambda n, s: infer(n, False, False, s)) for n in (1, 64, 1024)]
    cases += [("infer f16", n, lambda n, s: infer(n, True, False, s)) for n in (1, 64, 1024)]
    cases += [("infer tf32", 1024, lambda n, s: infer(n, False, True, s))]
    for mode in ("f32", "tf32", "bf16"):
        cases += [(f"train {mode}", n, lambda n, s, mode=mode: train(n, mode, s)) for n in (128, 512)]
    # Half of the time is for preparation, and a training case has two rows.
    span = min(2.5, (seconds - (time.monotonic() - START)) / (2 * (len(cases) + 6)))
    for name, batch, case in cases:
        if time.monotonic() - START > seconds - 2 * span:
            emit(f"{name} {batch}", failed="no time left")
            continue
        try:
            row = case(batch, span)
            if row:
                emit(f"{name} {batch}", **row)
        except RuntimeError as error:
            emit(f"{name} {batch}", failed=str(error).splitlines()[0])
        torch.cuda.empty_cache()


def ratios(values):
    """Our pace divided by PyTorch's on the same card: above 1 ours is faster."""
    torch, result = values.get("torch", {}), {}
    ours = values.get("inference", {})
    for precision in ("f32", "f16"):
        for batch in (1, 64, 1024):
            mine, peer = ours.get(f"{precision} {batch}"), torch.get(f"infer {precision} {batch}")
            if mine and peer:
                name = f"{batch} face{'s' if batch > 1 else ''}, {precision}, by PyTorch's CUDA graph"
                pace = mine["faces_per_s"] if batch == 1 else mine["pipelined_faces_per_s"]
                result[name] = pace / peer["faces_per_s"]
    fit = values.get("fit", {})
    for batch in (128, 512):
        pairs = [("f32", "f32", "eager f32"), ("mixed", "tf32", "eager TF32 channels last"), ("mixed", "bf16", "eager bf16 channels last")]
        for precision, mode, words in pairs:
            mine = fit.get(f"dcgan-tutorial {batch} {precision}")
            for graph in ("", " graph"):
                peer = torch.get(f"train {mode} {batch}{graph}")
                if mine and peer:
                    words_of = words.replace("eager", "CUDA graph,") if graph else words
                    result[f"fit {batch}, {precision}, by PyTorch's {words_of}"] = mine["images_per_s"] / peer["images_per_s"]
    return result


def table(report):
    """Everything as text."""
    values, lines = report.values, []

    def row(name, text):
        lines.append(f"{name:<60}  {text}")

    row("adapter", values.get("adapter", "none"))
    for name, parity in values.get("parity_255", {}).items():
        share = 100 * parity["share_that_differs"]
        row(f"pictures beside the CPU's, {name}", f"off by {parity['largest']}/255 at most, {share:.2f} % of values differ")
    if "peak_multiply_adds_per_s" in values:
        row("peak, 32 bits, measured", f"{values['peak_multiply_adds_per_s'] / 1e12:.2f} T multiply-adds/s")
    for name, made in values.get("inference", {}).items():
        text = f"{made['median_ms']:.3f} ms, p99 {made['p99_ms']:.3f}, {made['faces_per_s']:,.0f} faces/s"
        row(f"faces, {name}", f"{text}, pipelined {made['pipelined_faces_per_s']:,.0f}")
    for name, made in values.get("layers", {}).items():
        shares = ", ".join(f"{layer['ms']:.3f} ({100 * layer['share_of_peak']:.0f} %)" for layer in made["layers"])
        row(f"layers, {name}, ms and share of the 32-bit peak", f"{made['batch']} faces: {shares}")
    for name, made in values.get("step", {}).items():
        if not {"rows", "step", "batch", "launches", "peak"} <= made.keys():
            row(f"step, {name}", "in an unknown format: see the JSON")
            continue
        pace = made["batch"] / made["step"]
        row(f"step, {name}", f"{made['step'] * 1e3:.2f} ms, {made['launches']} launches, {pace:,.0f} images/s")
        for part in made["rows"]:
            share = part["multiply_adds"] / part["seconds"] / made["peak"] if part["seconds"] else 0
            of_peak = f", {100 * share:.0f} % of peak" if share else ""
            row(f"  {part['name']}", f"{part['times']:>4} times {part['seconds'] * 1e3:>9.3f} ms{of_peak}")
    for name, made in values.get("fit", {}).items():
        row(f"fit, {name}", f"{made['images_per_s']:,.0f} images/s, full pace after {made['seconds_to_full_pace']:.1f} s")
    for name, made in values.get("torch", {}).items():
        if "images_per_s" in made:
            row(f"PyTorch, {name}", f"{made['images_per_s']:,.0f} images/s")
        elif "ms" in made:
            row(f"PyTorch, {name}", f"{made['ms']:.3f} ms, {made['faces_per_s']:,.0f} faces/s")
        else:
            row("PyTorch", f"{made['version']} on {made['card']}")
    for name, ratio in values.get("ratios", {}).items():
        row(name, f"{ratio:.2f}")
    for part in report.left_out:
        row(f"left out: {part['part']}", part["why"])
    row("seconds in all", f"{time.monotonic() - START:.0f}")
    return "\n".join(lines)


def main():
    args = arguments()
    if args.torch_rows:
        torch_rows(args.torch_rows)
        return
    report = Report(args)
    with tempfile.TemporaryDirectory() as folder:
        adapter = find_adapter(report)
        channels = None
        if adapter:
            model = make_model(report, folder, adapter["software"])
            channels = channels_of(report, model)
            measure_parity(report, model, folder, adapter)
            measure_inference(report, model, adapter)
            if adapter["software"]:
                report.skip("training", "a software adapter is too slow for it")
            else:
                measure_step(report)
                measure_fit(report, folder)
        measure_torch(report, channels)
    report.values["ratios"] = ratios(report.values)
    report.values["left_out"] = report.left_out
    report.values["seconds"] = time.monotonic() - START
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(report.values, file, indent=1)
        file.write("\n")
    print(table(report))
    print(f"\nwrote {args.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
