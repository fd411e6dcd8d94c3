"""Makes the state dicts of trainer/tests/import.rs, and what PyTorch makes of them.

    pip install numpy torch safetensors
    python trainer/tests/golden/weights.py
"""

import os
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

here = pathlib.Path(__file__).parent
torch.manual_seed(20261123)


def generator(nz, ngf, nc):
    return nn.Sequential(
        nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False), nn.BatchNorm2d(ngf * 2), nn.ReLU(True),
        nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf), nn.ReLU(True),
        nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=True), nn.Tanh())


class Net(nn.Module):
    def __init__(self, main):
        super().__init__()
        self.main = main

    def forward(self, x):
        return self.main(x)


g = Net(generator(6, 4, 3))
g(torch.randn(64, 6, 1, 1) * 2)  # statistics that are not 0 and 1
g.eval()
d = Net(nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 4, 2, 1), nn.LeakyReLU(0.2),
                      nn.Conv2d(8, 1, 4, 1, 0)))
z = torch.randn(3, 6, 1, 1)
with torch.no_grad():
    images = g(z)
np.save(here / "latents.npy", z.reshape(3, 6).numpy())
np.save(here / "images.npy", images.reshape(3, -1).numpy())

plain = g.state_dict()
torch.save(plain, here / "plain.pth")
torch.save(plain, here / "legacy.pth", _use_new_zipfile_serialization=False)
save_file({k: v for k, v in plain.items()}, here / "plain.safetensors")
torch.save({"epoch": 3, "netG_state_dict": {"module." + k: v for k, v in plain.items()},
            "netD_state_dict": d.state_dict(), "losses": [0.5, 0.25]}, here / "nested.tar")
torch.save({k.replace("main", "gen"): v.half() for k, v in plain.items()}, here / "half.pt")


class Trap:
    """What a malicious pickle looks like: unpickling it runs a command."""

    def __reduce__(self):
        return os.system, ("touch pickle-was-executed",)


torch.save({"netG": plain, "trap": Trap()}, here / "trap.pth")
