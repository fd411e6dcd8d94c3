"""Makes the generators of runtime/tests/foreign.rs, and the pictures that onnxruntime makes of them.

    pip install numpy torch onnx onnxscript onnxruntime
    python runtime/tests/foreign/make.py

Every generator has a latent of 6 values, those of z.npy. NAME.npy holds the pictures as bytes: picture, row, column,
channel. A line of cases.txt is the name, then what the file does not say: range=LOW,HIGH, image=CxHxW, label=N.
"""

import contextlib
import io
import pathlib
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import nn

warnings.filterwarnings("ignore")
here = pathlib.Path(__file__).parent
torch.manual_seed(20261127)
random = np.random.RandomState(7)
Z = torch.randn(2, 6)
np.save(here / "z.npy", Z.numpy())
lines = []


def expect(name, feeds, black_white, shape=None, last=False, says=""):
    """What onnxruntime makes of a file, as bytes."""
    y = onnxruntime.InferenceSession(here / f"{name}.onnx").run(None, feeds)[0].astype(np.float64)
    if shape:
        y = y.reshape(len(y), *shape)
    if y.ndim == 3:
        y = y[:, None]
    if not last:
        y = y.transpose(0, 2, 3, 1)
    black, white = black_white
    pixels = np.clip(np.floor((y - black) / (white - black) * 255 + 0.5), 0, 255)
    np.save(here / f"{name}.npy", pixels.astype(np.uint8))
    lines.append(f"{name} {says}".strip())


def strip(path):
    """Removes what the exporter writes about the program that called it."""
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        del part.metadata_props[:]
    path.write_bytes(model.SerializeToString())


def case(name, net, black_white, flat=False, dynamo=False, opset=17, shape=None, last=False, says="", label=None,
         **options):
    """Exports a network with PyTorch."""
    net = net.eval()
    for m in net.modules():
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            m.running_mean.normal_(0, 0.3)
            m.running_var.uniform_(0.5, 2)
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.normal_(0, 0.2)
    names, arguments = ["z"], [Z if flat else Z[:, :, None, None]]
    if label is not None:
        names.append("label")
        arguments.append(label)
    if not dynamo:
        options |= {"opset_version": opset, "dynamo": False}
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet[0], quiet[1]:
        torch.onnx.export(net, tuple(arguments), here / f"{name}.onnx", input_names=names, **options)
    strip(here / f"{name}.onnx")
    feeds = {n: a.numpy() for n, a in zip(names, arguments)}
    expect(name, feeds, black_white, shape, last, says)


class Then(nn.Module):
    """A network and a function of its output."""

    def __init__(self, net, f):
        super().__init__()
        self.net, self.f = net, f

    def forward(self, z):
        return self.f(self.net(z))


def dcgan(last=nn.Tanh, c=3, act=nn.ReLU, inputs=6):
    end = [last()] if last else []
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, 5, 4, 1, 0, bias=False), nn.BatchNorm2d(5), act(),
        nn.ConvTranspose2d(5, c, 4, 2, 1), *end)


def stem(*more):
    return nn.Sequential(nn.ConvTranspose2d(6, 8, 4), nn.ReLU(), *more)


# Which values are black and white.
signed, unit, byte = (-1, 1), (0, 1), (0, 255)
mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
mean, deviation = mean.view(1, 3, 1, 1), deviation.view(1, 3, 1, 1)
half = torch.full((1, 3, 1, 1), 0.5)
case("range-half", Then(dcgan(), lambda x: x * 0.5 + 0.5), unit)
case("range-plus-one", Then(dcgan(), lambda x: (x + 1) / 2), unit)
case("range-times-255", Then(dcgan(), lambda x: (x + 1) / 2 * 255), byte)
case("range-half-by-channel", Then(dcgan(), lambda x: x * half + half), unit)
case("range-imagenet", Then(dcgan(), lambda x: x * deviation + mean), unit)
case("range-clamped", Then(dcgan(None), lambda x: x.clamp(0, 1)), unit)
case("range-clamped-half", Then(dcgan(None), lambda x: x.clamp(-1, 1) * 0.5 + 0.5), unit)
case("range-max-min", Then(dcgan(None), lambda x: torch.minimum(torch.maximum(x, torch.tensor(0.0)), torch.tensor(1.0))), unit)
case("range-inverted", Then(dcgan(nn.Sigmoid), lambda x: 1 - x), unit)
case("range-doubled", Then(dcgan(nn.Sigmoid), lambda x: x * 2 - 1), signed)
case("range-resized", Then(dcgan(nn.Sigmoid), lambda x: F.interpolate(x, scale_factor=2)), unit)
case("range-bytes", Then(dcgan(), lambda x: (x * 127.5 + 128).clamp(0, 255).to(torch.uint8)), byte)
case("range-rounded", Then(dcgan(), lambda x: (x * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)), byte)
case("range-open", dcgan(None), signed)
case("range-given", dcgan(None), unit, says="range=0,1")
case("range-reshaped", nn.Sequential(nn.Linear(6, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))), unit, flat=True)

# Exporters: operation sets, shapes that are computed, tensors in another file.
for opset in (9, 10, 11):
    case(f"opset-{opset}", stem(nn.Upsample(scale_factor=2), nn.Conv2d(8, 3, 3, 1, 1), nn.Tanh()), signed, opset=opset)
case("external", dcgan(c=1), signed, dynamo=True)
for opset in (9, 17):
    case(f"view-{opset}", Then(nn.Sequential(nn.Linear(6, 64), nn.Tanh()), lambda x: x.view(x.shape[0], -1, 8, 8)), signed,
         flat=True, opset=opset, dynamic_axes={"z": {0: "n"}})


class Unsqueezed(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = dcgan()

    def forward(self, z):
        return self.net(z[:, :, None, None])


case("unsqueezed", Unsqueezed(), signed, flat=True)

# Convolutions.
case("output-padding", stem(nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1), nn.ReLU(),
                            nn.ConvTranspose2d(4, 3, 5, 2, 2, output_padding=1), nn.Tanh()), signed)
case("groups-dilation", stem(nn.ConvTranspose2d(8, 4, 3, 2, 1, groups=2, dilation=2), nn.ReLU(),
                             nn.Conv2d(4, 8, 3, 1, 2, dilation=2, groups=4), nn.Conv2d(8, 3, 1), nn.Tanh()), signed)
case("padded", stem(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(8, 4, 4), nn.Tanh(), nn.ZeroPad2d(1), nn.Conv2d(4, 3, 3),
                    nn.Tanh(), nn.ZeroPad2d(2)), signed)
case("cropped", Then(stem(nn.ConvTranspose2d(8, 3, 4, 2, 1), nn.Tanh()), lambda x: x[:, :, :7, :7]), signed)
case("pixel-shuffle", stem(nn.Conv2d(8, 16, 3, 1, 1, bias=False), nn.PixelShuffle(2), nn.BatchNorm2d(4), nn.ReLU(),
                           nn.Conv2d(4, 12, 3, 1, 1), nn.PixelShuffle(2), nn.Tanh()), signed)


class Shuffle(nn.Module):
    def forward(self, x):
        n, c, h, w = x.shape
        return x.view(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w)


case("pixel-shuffle-by-hand", nn.Sequential(nn.ConvTranspose2d(6, 12, 4), Shuffle(), nn.Tanh()), signed)

# Activations.
for name, act in dict(elu=lambda: nn.ELU(0.7), selu=nn.SELU, gelu=nn.GELU, gelu_tanh=lambda: nn.GELU("tanh"),
                      silu=nn.SiLU, mish=nn.Mish, softplus=nn.Softplus, relu6=nn.ReLU6, prelu=nn.PReLU,
                      hardtanh=nn.Hardtanh).items():
    case(f"activation-{name}", dcgan(act=act), signed, opset=13)
for name, act in dict(gelu=nn.GELU, silu=nn.SiLU).items():
    case(f"activation-{name}-dynamo", dcgan(act=act), signed, dynamo=True, external_data=False)


class Slopes(nn.PReLU):
    def __init__(self):
        super().__init__(5)
        self.weight.data.uniform_(0, 0.5)


class LeakyMax(nn.Module):
    def forward(self, x):
        return torch.max(x, x * 0.2)


case("activation-prelu-channels", dcgan(act=Slopes), signed)
case("activation-max", dcgan(act=LeakyMax), signed)

# Images: vectors, alpha, channels last.
flat = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.BatchNorm1d(8), nn.Linear(8, 144), nn.Tanh())
case("flat-square", flat, signed, flat=True, shape=(1, 12, 12))
case("flat-given", flat, signed, flat=True, shape=(3, 6, 8), says="image=3x6x8")
case("flat-color", nn.Sequential(nn.Linear(6, 192), nn.Tanh()), signed, flat=True, shape=(3, 8, 8))
case("alpha", dcgan(c=4), signed)
case("channels-last", Then(dcgan(), lambda x: x.permute(0, 2, 3, 1)), signed, last=True)


class Dense(nn.Module):
    """As Keras orders it: channels last behind the first dense layer, and before the last."""

    def __init__(self, end):
        super().__init__()
        self.first, self.norm, self.end = nn.Linear(6, 4 * 4 * 8), nn.BatchNorm1d(4 * 4 * 8), end
        self.conv = nn.ConvTranspose2d(8, 3, 4, 2, 1)
        self.last = nn.Linear(192, 48)

    def forward(self, z):
        x = F.leaky_relu(self.norm(self.first(z)), 0.3).view(-1, 4, 4, 8).permute(0, 3, 1, 2)
        x = self.conv(x).permute(0, 2, 3, 1)
        return torch.tanh(self.last(x.flatten(1)).view(-1, 4, 4, 3) if self.end else x)


case("keras-dense-first", Dense(False), signed, flat=True, last=True)
case("keras-dense-last", Dense(True), signed, flat=True, last=True)


# Labels.
class Labeled(nn.Module):
    def __init__(self, how, classes=5, width=6):
        super().__init__()
        self.how, self.classes = how, classes
        self.table, self.linear = nn.Embedding(classes, width), nn.Linear(classes, width)
        inputs = {"times": 6, "plus": 6, "one-hot": 6 + classes, "from-index": 6 + classes}.get(how, 6 + width)
        self.net = dcgan(inputs=inputs)
        if how == "map":
            self.map, self.first = nn.Linear(width, 16), nn.Linear(6, 4 * 16)
            self.net = nn.Sequential(nn.ConvTranspose2d(5, 3, 4, 2, 1), nn.Tanh())
        if how == "both":
            self.a, self.b = nn.ConvTranspose2d(6, 4, 4), nn.ConvTranspose2d(classes, 3, 4)
            self.net = nn.Sequential(nn.BatchNorm2d(7), nn.ReLU(), nn.ConvTranspose2d(7, 3, 4, 2, 1), nn.Tanh())

    def forward(self, z, y):
        how = self.how
        if how == "map":
            a = F.leaky_relu(self.first(z), 0.2).view(-1, 4, 4, 4)
            return self.net(torch.cat([a, self.map(self.table(y)).view(-1, 1, 4, 4)], 1))
        if how == "both":
            return self.net(torch.cat([self.a(z[:, :, None, None]), self.b(y[:, :, None, None])], 1))
        if how == "last":
            x = torch.cat([z, self.table(y)], 1)
        elif how == "first":
            x = torch.cat([self.table(y), z], 1)
        elif how == "times":
            x = z * self.table(y)
        elif how == "plus":
            x = z + self.table(y)
        elif how == "one-hot":
            x = torch.cat([z, y], 1)
        elif how == "from-index":
            x = torch.cat([z, F.one_hot(y, self.classes).float()], 1)
        elif how == "linear":
            x = torch.cat([z, self.linear(y)], 1)
        return self.net(x[:, :, None, None])


for how in "last first times plus map from-index".split():
    case(f"label-{how}", Labeled(how), signed, flat=True, label=torch.tensor([3, 3]), says="label=3")
case("label-dynamo", Labeled("last"), signed, flat=True, label=torch.tensor([1, 1]), says="label=1", dynamo=True,
     external_data=False)
for how in "one-hot linear both".split():
    hot = F.one_hot(torch.tensor([2, 2]), 5).float()
    case(f"label-{how}", Labeled(how), signed, flat=True, label=hot, says="label=2")


# What other exporters write, by hand.
def hand(name, nodes, constants, z, black_white, last=False, says=""):
    inputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, z)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    constants = [numpy_helper.from_array(v, k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), here / f"{name}.onnx")
    expect(name, {"z": Z.numpy().reshape(z)}, black_white, None, last, says)


def weight(*dims):
    return (random.randn(*dims) * 0.3).astype(np.float32)


node = helper.make_node
for auto in ("SAME_UPPER", "SAME_LOWER"):
    for kernel, stride in ((5, 2), (4, 2), (4, 1), (2, 2)):
        hand(f"{auto.lower().replace('_', '-')}-{kernel}-{stride}", [
            node("ConvTranspose", ["z", "a"], ["x"]),
            node("ConvTranspose", ["x", "b"], ["x2"], auto_pad=auto, strides=[stride, stride]),
            node("Conv", ["x2", "c"], ["x3"], auto_pad=auto), node("Tanh", ["x3"], ["y"])],
            dict(a=weight(6, 4, 4, 4), b=weight(4, 4, kernel, kernel), c=weight(3, 4, kernel, kernel)), [2, 6, 1, 1], signed)
for side in (7, 8, 9):
    hand(f"output-shape-{side}", [
        node("ConvTranspose", ["z", "a"], ["x"]),
        node("ConvTranspose", ["x", "b"], ["x2"], output_shape=[side, side], strides=[2, 2]), node("Tanh", ["x2"], ["y"])],
        dict(a=weight(6, 4, 4, 4), b=weight(4, 3, 3, 3)), [2, 6, 1, 1], signed)
hand("unequal-pads", [
    node("ConvTranspose", ["z", "a"], ["x"]), node("Conv", ["x", "b"], ["x2"], pads=[1, 0, 2, 3]),
    node("ConvTranspose", ["x2", "c"], ["x3"], pads=[1, 2, 2, 1], strides=[2, 2]), node("Tanh", ["x3"], ["y"])],
    dict(a=weight(6, 4, 4, 4), b=weight(4, 4, 4, 4), c=weight(4, 3, 5, 5)), [2, 6, 1, 1], signed)
hand("keras-latent", [
    node("Transpose", ["z"], ["t"], perm=[0, 3, 1, 2]), node("ConvTranspose", ["t", "a"], ["x"]), node("Tanh", ["x"], ["y"])],
    dict(a=weight(6, 3, 4, 4)), [2, 1, 1, 6], signed)
hand("keras-biases", [
    node("MatMul", ["z", "a"], ["x"]), node("Reshape", ["x", "s"], ["x1"]), node("Add", ["x1", "b"], ["x2"]),
    node("LeakyRelu", ["x2"], ["x3"], alpha=0.3), node("Transpose", ["x3"], ["x4"], perm=[0, 3, 1, 2]),
    node("ConvTranspose", ["x4", "c"], ["x5"], auto_pad="SAME_UPPER", strides=[2, 2]),
    node("Transpose", ["x5"], ["x6"], perm=[0, 2, 3, 1]), node("Add", ["x6", "d"], ["x7"]), node("Mul", ["x7", "e"], ["x8"]),
    node("Tanh", ["x8"], ["y"])],
    dict(a=weight(6, 64), s=np.array([-1, 4, 4, 4]), b=weight(4), c=weight(4, 3, 5, 5), d=weight(3), e=weight(3) + 1),
    [2, 6], signed, last=True)
hand("keras-upsampling", [
    node("MatMul", ["z", "a"], ["x"]), node("Reshape", ["x", "s"], ["x1"]),
    node("Resize", ["x1", "", "f"], ["x3"], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    node("Transpose", ["x3"], ["x4"], perm=[0, 3, 1, 2]), node("Conv", ["x4", "c"], ["x5"], auto_pad="SAME_UPPER"),
    node("Transpose", ["x5"], ["x6"], perm=[0, 2, 3, 1]), node("Sigmoid", ["x6"], ["y"])],
    dict(a=weight(6, 64), s=np.array([-1, 4, 4, 4]), f=np.array([1, 2, 2, 1], np.float32), c=weight(3, 4, 3, 3)),
    [2, 6], unit, last=True)

# Branches.
up, to_rows, to_columns = dict(pads=[1] * 4, strides=[2, 2]), dict(perm=[0, 2, 3, 1]), dict(perm=[0, 3, 1, 2])
numbers = dict(root=np.float32([0.5 ** 0.5]), one=np.float32([1]), half=np.float32([0.5]))
hand("branch-residual", [
    node("ConvTranspose", ["z", "a"], ["x"]), node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["x1"]),
    node("Pad", ["x1", "p"], ["x2"], mode="reflect"), node("Conv", ["x2", "b"], ["x3"]), node("Add", ["x", "x3"], ["r"]),
    node("InstanceNormalization", ["r", "scale", "shift"], ["n"]), node("Mul", ["n", "root"], ["e"]), node("Erf", ["e"], ["e1"]),
    node("Add", ["e1", "one"], ["e2"]), node("Mul", ["n", "e2"], ["e3"]), node("Mul", ["e3", "half"], ["g"]),
    node("Concat", ["g", "n"], ["j"], axis=1), node("ConvTranspose", ["j", "c"], ["x4"], **up), node("Tanh", ["x4"], ["y"])],
    dict(a=weight(6, 4, 4, 4), b=weight(4, 4, 3, 3), c=weight(8, 3, 4, 4), p=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
         scale=weight(4) + 1, shift=weight(4), **numbers), [2, 6, 1, 1], signed)
hand("branch-function", [
    node("ConvTranspose", ["z", "a"], ["x"]), node("Tanh", ["x"], ["t"]), node("Add", ["x", "t"], ["x1"]),
    node("ConvTranspose", ["x1", "b"], ["x2"], **up), node("Tanh", ["x2"], ["y"])],
    dict(a=weight(6, 4, 4, 4), b=weight(4, 3, 4, 4)), [2, 6, 1, 1], signed)
hand("branch-interleaved", [
    node("ConvTranspose", ["z", "a"], ["x"]), node("Conv", ["x", "b"], ["w"]), node("Sigmoid", ["x"], ["s"]),
    node("Sigmoid", ["w"], ["v"]), node("Mul", ["s", "x"], ["x1"]), node("Mul", ["w", "v"], ["w1"]),
    node("Concat", ["x1", "w1"], ["j"], axis=-3), node("ConvTranspose", ["j", "c"], ["x2"], **up), node("Tanh", ["x2"], ["y"])],
    dict(a=weight(6, 4, 4, 4), b=weight(5, 4, 1, 1), c=weight(9, 3, 4, 4)), [2, 6, 1, 1], signed)
hand("branch-keras", [
    node("MatMul", ["z", "a"], ["x"]), node("Reshape", ["x", "s"], ["x1"]), node("LeakyRelu", ["x1"], ["x2"], alpha=0.3),
    node("Transpose", ["x2"], ["t"], **to_columns), node("Conv", ["t", "b"], ["t1"], auto_pad="SAME_UPPER"),
    node("Transpose", ["t1"], ["x3"], **to_rows), node("Add", ["x3", "e"], ["x4"]), node("Add", ["x2", "x4"], ["x5"]),
    node("Concat", ["x5", "x4"], ["x6"], axis=3), node("Transpose", ["x6"], ["t2"], **to_columns),
    node("ConvTranspose", ["t2", "c"], ["t3"], auto_pad="SAME_UPPER", strides=[2, 2]), node("Transpose", ["t3"], ["x7"], **to_rows),
    node("Tanh", ["x7"], ["y"])],
    dict(a=weight(6, 64), s=np.array([-1, 4, 4, 4]), b=weight(4, 4, 3, 3), e=weight(4), c=weight(8, 3, 5, 5)),
    [2, 6], signed, last=True)


# Labels that meet the data behind a convolution.
class Late(nn.Module):
    def __init__(self, how, classes=5):
        super().__init__()
        self.how, self.classes = how, classes
        self.a, self.b = nn.ConvTranspose2d(6, 7, 4), nn.ConvTranspose2d(7, 4, 4, 2, 1)
        self.table = nn.Embedding(classes, 7)
        values = {"map": 64, "sum": 4 * 64, "bias": 4}.get(how)
        self.linear = nn.Linear(7, values) if values else None
        self.c = nn.ConvTranspose2d({"map": 5, "hot": 4 + classes}.get(how, 4), 3, 4, 2, 1)

    def forward(self, z, y):
        x = F.elu(self.a(z[:, :, None, None]))
        if self.how == "twice":
            x = x + self.table(y)[:, :, None, None]
        x = F.leaky_relu(self.b(x), 0.2)
        if self.linear:
            e = self.linear(self.table(y))
        if self.how == "map":
            x = torch.cat([e.view(-1, 1, 8, 8), x], 1)
        elif self.how == "sum":
            x = x + e.view(-1, 4, 8, 8)
        elif self.how == "bias":
            x = x + e[:, :, None, None]
        elif self.how == "hot":
            x = torch.cat([x, F.one_hot(y, self.classes).float()[:, :, None, None].expand(-1, -1, 8, 8)], 1)
        else:
            x = x + self.table(y)[:, :4, None, None]
        return torch.tanh(self.c(x))


for how in "map sum bias hot twice".split():
    case(f"label-late-{how}", Late(how), signed, flat=True, label=torch.tensor([3, 3]), says="label=3")

(here / "cases.txt").write_text("\n".join(lines) + "\n")
