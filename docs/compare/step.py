"""Images per second of the DCGAN tutorial's training step in PyTorch on a CPU, to compare with `trainer bench`.

    pip install torch
    python docs/compare/step.py --batch 64 --threads 2

The network, optimizers and order of the step are those of the recipe `dcgan-tutorial`. The images are noise. Prints the
median over steps and the process's peak resident memory.
"""

import argparse
import resource
import statistics
import time

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--size", type=int, default=64)
parser.add_argument("--channels", type=int, default=3)
parser.add_argument("--nz", type=int, default=100)
parser.add_argument("--width", type=int, default=64, help="ngf and ndf")
parser.add_argument("--steps", type=int, default=12)
parser.add_argument("--layout", choices=["channels-last", "default"], default="channels-last")
parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
args = parser.parse_args()
torch.set_num_threads(args.threads)
layout = torch.channels_last if args.layout == "channels-last" else torch.contiguous_format


def generator():
    width = args.width * args.size // 8
    layers = [nn.ConvTranspose2d(args.nz, width, 4, 1, 0, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
    while width > args.width:
        layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(width // 2), nn.ReLU(True)]
        width //= 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, args.channels, 4, 2, 1, bias=False), nn.Tanh())


def discriminator():
    width = args.width
    layers = [nn.Conv2d(args.channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    while width < args.width * args.size // 8:
        layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2, True)]
        width *= 2
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 0, bias=False))


g, d = (net.to(memory_format=layout) for net in (generator(), discriminator()))
for module in [*g.modules(), *d.modules()]:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
adam = dict(lr=2e-4, betas=(0.5, 0.999))
opt_g, opt_d = torch.optim.Adam(g.parameters(), **adam), torch.optim.Adam(d.parameters(), **adam)
loss = nn.BCEWithLogitsLoss()
real = torch.rand(args.batch, args.channels, args.size, args.size).mul_(2).sub_(1).to(memory_format=layout)
one, zero = torch.ones(args.batch), torch.zeros(args.batch)


def step():
    with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
        opt_d.zero_grad()
        loss(d(real).view(-1).float(), one).backward()
        fake = g(torch.randn(args.batch, args.nz, 1, 1))
        loss(d(fake.detach()).view(-1).float(), zero).backward()
        opt_d.step()
        opt_g.zero_grad()
        loss(d(fake).view(-1).float(), one).backward()
        opt_g.step()


times = []
for i in range(args.steps + 3):
    began = time.perf_counter()
    step()
    if i >= 3:
        times.append(time.perf_counter() - began)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"torch {torch.__version__} batch {args.batch} threads {args.threads}: "
      f"{args.batch / statistics.median(times):.1f} images/s, {memory:.0f} MB")
