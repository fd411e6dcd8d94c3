"""Makes state dicts of well-known forms for trainer/tests/all/import.rs, and what PyTorch makes of them.

    pip install numpy torch safetensors
    python trainer/tests/golden/families.py

All have a latent of 6 values, those of latents.npy. FORM.safetensors is the state dict, FORM.npy the images.
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

here = pathlib.Path(__file__).parent
torch.manual_seed(20261127)
z = torch.from_numpy(np.load(here / "latents.npy")).reshape(3, 6)
up = nn.ConvTranspose2d


def save(name, net, *more):
    net.train()
    net(torch.randn(64, 6) * 2, *[m.repeat(64)[:64] for m in more])  # statistics that are not 0 and 1
    net.eval()
    with torch.no_grad():
        images = net(z, *more)
    np.save(here / f"{name}.npy", images.reshape(3, -1).numpy())
    state = {k: v.contiguous() for k, v in net.state_dict().items()}
    save_file(state, here / f"{name}.safetensors")


class Net(nn.Module):
    """Modules by name, and a function of them and the latent."""

    def __init__(self, run, **modules):
        super().__init__()
        self.run = run
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *z):
        return self.run(self, *z)


def pixel(z):
    return z[:, :, None, None]


def block(a, b, k, s, p):
    return nn.Sequential(up(a, b, k, s, p, bias=False), nn.BatchNorm2d(b), nn.ReLU())


# Blocks that are attributes of the network.
save("blocks", Net(lambda m, z: torch.tanh(m.layer10(m.layer2(m.layer1(pixel(z))))), layer1=block(6, 5, 4, 1, 0),
                   layer2=block(5, 4, 4, 2, 1), layer10=nn.Sequential(up(4, 1, 4, 2, 1))))
save("attributes", Net(
    lambda m, z: torch.tanh(m.deconv3(F.relu(m.deconv2_bn(m.deconv2(F.relu(m.deconv1_bn(m.deconv1(pixel(z))))))))),
    deconv1=up(6, 5, 4), deconv1_bn=nn.BatchNorm2d(5), deconv2=up(5, 5, 4, 2, 1), deconv2_bn=nn.BatchNorm2d(5),
    deconv3=up(5, 3, 4, 2, 1)))
# Layers and norms under names that sort apart.
save("apart", Net(
    lambda m, z: torch.tanh(m.tconv3(F.relu(m.bn2(m.tconv2(F.relu(m.bn1(m.tconv1(pixel(z)))))))),),
    tconv1=up(6, 5, 4), tconv2=up(5, 4, 4, 2, 1), tconv3=up(4, 3, 4, 2, 1), bn1=nn.BatchNorm2d(5), bn2=nn.BatchNorm2d(4)))
# deeplearning.ai's course.
save("course", Net(lambda m, z: m.gen(pixel(z)), gen=nn.Sequential(
    block(6, 5, 3, 2, 0), block(5, 4, 4, 1, 0), block(4, 3, 3, 2, 0), nn.Sequential(up(3, 1, 4, 2), nn.Tanh()))))
# The tutorial with a last kernel of 1.
save("tail", Net(lambda m, z: m.main(pixel(z)), main=nn.Sequential(
    *block(6, 5, 4, 1, 0), *block(5, 4, 4, 2, 1), *block(4, 4, 4, 2, 1), *block(4, 2, 4, 2, 1),
    up(2, 1, 1, 1, 2, bias=False), nn.Tanh())))
# Pixel art with alpha.
save("alpha", Net(lambda m, z: m.main(pixel(z)), main=nn.Sequential(
    *block(6, 5, 4, 1, 0), *block(5, 4, 4, 2, 1), up(4, 4, 4, 2, 1), nn.Tanh())))


# PyTorch-GAN.
def pytorch_gan_dcgan(side=4):
    return dict(l1=nn.Sequential(nn.Linear(6, 8 * side ** 2)), conv_blocks=nn.Sequential(
        nn.BatchNorm2d(8), nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, stride=1, padding=1), nn.BatchNorm2d(8, 0.8),
        nn.LeakyReLU(0.2), nn.Upsample(scale_factor=2), nn.Conv2d(8, 4, 3, stride=1, padding=1), nn.BatchNorm2d(4, 0.8),
        nn.LeakyReLU(0.2), nn.Conv2d(4, 3, 3, stride=1, padding=1), nn.Tanh()))


save("gan-dcgan", Net(lambda m, z: m.conv_blocks(m.l1(z).view(len(z), 8, 4, 4)), **pytorch_gan_dcgan()))
acgan = pytorch_gan_dcgan()
save("gan-acgan", Net(lambda m, z, y: m.conv_blocks(m.l1(m.label_emb(y) * z).view(len(z), 8, 4, 4)),
                      label_emb=nn.Embedding(5, 6), **acgan), torch.tensor([3, 3, 3]))


def dense(inputs):
    def block(a, b, norm=True):
        return [nn.Linear(a, b)] + ([nn.BatchNorm1d(b, 0.8)] if norm else []) + [nn.LeakyReLU(0.2)]

    return nn.Sequential(*block(inputs, 8, False), *block(8, 12), *block(12, 16), nn.Linear(16, 64), nn.Tanh())


save("gan-dense", Net(lambda m, z: m.model(z), model=dense(6)))
save("gan-cgan", Net(lambda m, z, y: m.model(torch.cat((m.label_emb(y), z), -1)), label_emb=nn.Embedding(5, 5),
                     model=dense(11)), torch.tensor([3, 3, 3]))
# Dense first layers, other activations.
save("dense-stem", Net(lambda m, z: torch.tanh(m.conv(F.relu(m.fc(z)).view(-1, 8, 7, 7))), fc=nn.Linear(6, 8 * 49),
                       conv=nn.Sequential(up(8, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), up(4, 1, 4, 2, 1))))
save("dense-sigmoid", Net(lambda m, z: torch.sigmoid(m.fc4(F.relu(m.fc3(z)))), fc3=nn.Linear(6, 10),
                          fc4=nn.Linear(10, 144)))
save("output-padding", Net(lambda m, z: m.main(pixel(z)), main=nn.Sequential(
    up(6, 5, 4), nn.ELU(), up(5, 4, 3, 2, 1, output_padding=1), nn.ELU(), up(4, 3, 5, 2, 2, output_padding=1), nn.Tanh())))
save("upsampled", Net(lambda m, z: m.main(m.fc(z).view(-1, 8, 4, 4)), fc=nn.Linear(6, 128), main=nn.Sequential(
    nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(8, 4, 3, 1, 1), nn.BatchNorm2d(4), nn.ReLU(),
    nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 3, 1, 1), nn.Tanh())))
save("prelu", Net(lambda m, z: m.main(pixel(z)), main=nn.Sequential(
    up(6, 5, 4), nn.BatchNorm2d(5), nn.PReLU(5), up(5, 3, 4, 2, 1), nn.Tanh())))
save("shuffled", Net(lambda m, z: m.main(pixel(z)), main=nn.Sequential(
    up(6, 8, 4), nn.ReLU(), nn.Conv2d(8, 12, 3, 1, 1), nn.PixelShuffle(2), nn.Tanh())))
# Weights that are normed.
for name, norm in dict(spectral=spectral_norm, spectral_parametrized=parametrizations.spectral_norm, weight=weight_norm,
                       weight_parametrized=parametrizations.weight_norm).items():
    save(f"norm-{name}", Net(lambda m, z: m.main(pixel(z)), main=nn.Sequential(
        norm(up(6, 6, 4)), nn.ReLU(), norm(up(6, 5, 4, 2, 1)), nn.ReLU(), norm(up(5, 3, 4, 2, 1)), nn.Tanh())))
