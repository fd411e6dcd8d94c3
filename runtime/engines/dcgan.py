"""The tutorial's DCGAN generator (Radford et al. 2016), nz 100, 64 x 64 x 3, as ONNX with random weights of its initialisation.

    python dcgan.py 64 dcgan64.onnx
"""

import sys

import torch
from torch import nn


def generator(ngf: int) -> nn.Sequential:
    widths = [100, 8 * ngf, 4 * ngf, 2 * ngf, ngf]
    layers = []
    for i, (before, after) in enumerate(zip(widths, widths[1:])):
        stride, padding = (1, 0) if i == 0 else (2, 1)
        layers += [nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)]
    layers += [nn.ConvTranspose2d(ngf, 3, 4, 2, 1, bias=False), nn.Tanh()]
    return nn.Sequential(*layers)


def main() -> None:
    torch.manual_seed(0)
    model = generator(int(sys.argv[1]))
    for layer in model:
        if isinstance(layer, nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
    # Statistics of batch norm as training leaves them, so that values have the spread that they have in use.
    with torch.no_grad():
        for _ in range(20):
            model(torch.randn(64, 100, 1, 1))
    torch.onnx.export(
        model.eval(), (torch.randn(1, 100, 1, 1),), sys.argv[2], input_names=["latent"], output_names=["image"],
        dynamic_axes={"latent": {0: "n"}, "image": {0: "n"}}, dynamo=False,
    )


main()
