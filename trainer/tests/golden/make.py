"""Makes the golden values of trainer/tests/score.rs with the reference packages.

    pip install numpy scipy torch torch-fidelity prdc pytorch-msssim
    python trainer/tests/golden/make.py
"""

import json
import pathlib

import numpy as np
import torch
from prdc import compute_prdc
from pytorch_msssim.ssim import _fspecial_gauss_1d, _ssim
from scipy import ndimage
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kernel_poly, mmd2

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(20261123)

# Features: correlated, different in mean and spread, more rows than numbers.
mix = rng.normal(size=(24, 24)) / 4
real = rng.normal(size=(300, 24)) @ mix + 0.2
fake = rng.normal(size=(260, 24)) @ (mix + 0.05 * rng.normal(size=(24, 24))) + rng.normal(size=24) * 0.1
np.save(here / "real.npy", real)
np.save(here / "fake.npy", fake)

stats = [fid_features_to_statistics(torch.from_numpy(x)) for x in (real, fake)]
fid = fid_statistics_to_metric(*stats, False)["frechet_inception_distance"]

n = 200
poly = {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
kernels = [kernel_poly(a, b, **poly) for a, b in
           ((real[:n], real[:n]), (fake[:n], fake[:n]), (real[:n], fake[:n]))]
kid = mmd2(kernels[0], kernels[2], kernels[1])

prdc = compute_prdc(real_features=real, fake_features=fake, nearest_k=5)

# Images: a smooth one, and the same with noise; gray and color.
y, x = np.mgrid[0:64, 0:64] / 64.0
base = np.stack([np.sin(7 * x + c) * np.cos(5 * y - c) for c in range(3)]) * 90 + 128
pair = [np.clip(base + rng.normal(size=base.shape) * s, 0, 255).astype(np.uint8) for s in (3, 25)]
np.save(here / "pair.npy", np.stack(pair))
weights = np.array([0.0448, 0.2856, 0.3001])
a, b = (torch.from_numpy(p.astype(np.float64))[None] for p in pair)
window = _fspecial_gauss_1d(11, 1.5).double().repeat(3, 1, 1, 1)
# ms_ssim itself insists on five scales' room; these are its steps for three.
factors = []
for scale in range(3):
    similar, contrast = _ssim(a, b, win=window, data_range=255, size_average=False, K=(0.01, 0.03))
    factors.append(torch.relu(similar if scale == 2 else contrast))
    a, b = (torch.nn.functional.avg_pool2d(v, 2) for v in (a, b))
exponents = torch.tensor(weights / weights.sum()).view(-1, 1, 1)
similarity = torch.prod(torch.stack(factors) ** exponents, dim=0).mean()

# The Laplacian pyramid (Karras et al. 2018) of the first plane, with scipy's convolution.
f = np.array([1, 4, 6, 4, 1]) / 16.0
kernel = np.outer(f, f)
down = lambda v: ndimage.convolve(v, kernel, mode="mirror")[::2, ::2]


def up(v):
    wide = np.zeros((v.shape[0] * 2, v.shape[1] * 2))
    wide[::2, ::2] = v
    return ndimage.convolve(wide, kernel * 4.0, mode="mirror")


levels = [pair[1][0].astype(np.float64)]
for _ in range(2):
    levels.append(down(levels[-1]))
pyramid = [levels[0] - up(levels[1]), levels[1] - up(levels[2]), levels[2]]
np.save(here / "pyramid.npy", np.concatenate([p.ravel() for p in pyramid])[None].astype(np.float32))

# Sorted projections of the features on fixed directions.
directions = rng.normal(size=(40, 24))
directions /= np.linalg.norm(directions, axis=1, keepdims=True)
np.save(here / "directions.npy", directions.astype(np.float32))
project = lambda rows: np.sort(rows @ directions.astype(np.float32).T.astype(np.float64), axis=0)
sliced = np.mean(np.abs(project(real[:n]) - project(fake[:n])))

golden = {"frechet": float(fid), "kernel": float(kid), "ms_ssim": float(similarity), "sliced": float(sliced)}
golden |= {k: float(v) for k, v in prdc.items()}
(here / "scores.json").write_text(json.dumps(golden, indent=2) + "\n")
print(golden)
