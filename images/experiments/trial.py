"""Train one predictor and measure it."""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from functools import lru_cache
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from images.experiments.codes import Autoencoder, fit_head
from images.experiments.denoisers import Bands, Denoiser, Latent, corrupt, matched_width
from images.experiments.measures import (
    first_below,
    gradient_spread,
    high_band,
    image_errors,
    psnr,
)
from images.experiments.settings import Setup
from images.experiments.spec import Arrays, Spec
from refine_core.data import Tensors
from refine_core.noise import derive
from refine_core.training.config import Optimisation
from refine_core.training.fit import fit

TEST_NOISE = 0
"""Seed of the test noise, the same for all, so that differences between predictors are paired."""

Result = dict[str, Any]
"""Measurements of one run, as JSON values; None stands for an error never reached."""


def run(spec: Spec, arrays: Arrays, tick: Callable[[float], None]) -> Result:
    """Train one predictor and measure it.

    Args:
        spec: What to train.
        arrays: All the data; the setup may limit it.
        tick: Called after each epoch with the share of the run that it was.
    """
    setup, limited = spec.setup, arrays.limited(spec.setup)
    module = _build(spec, arrays)
    noisy = corrupt(limited.test, setup.sigma, TEST_NOISE)
    every = -(-setup.epochs // setup.validations)
    epoch, started = 0, time.process_time()

    def validate(trained: nn.Module) -> dict[str, float]:
        nonlocal epoch, started
        row = {"cpu_seconds": time.process_time() - started}
        epoch += 1
        if epoch % every == 0 or epoch == setup.epochs:
            found = module.denoise(_on(module, noisy)).cpu()
            row["mse"] = float(image_errors(found, limited.test).mean())
        tick(1 / setup.epochs)
        started = time.process_time()
        return row

    seed = derive(spec.seed, 2)
    opt = _optimisation(setup, setup.epochs)
    _, history = fit(module, Tensors(limited.train), opt, seed=seed, validate=validate, quiet=True)
    learned = sum(p.numel() for p in module.parameters() if p.requires_grad)
    known = {"spec": asdict(spec), "parameters": learned, "history": history}
    return _summary(history, setup.target) | _scores(module, limited, setup, noisy) | known


def _summary(history: list[dict[str, float]], target: float) -> Result:
    """What the course of training shows."""
    variance, variation = gradient_spread(history)
    settled_variance, settled_variation = gradient_spread(history[len(history) // 2 :])
    return {
        "epochs": first_below(history, target, "epoch"),
        "updates": first_below(history, target, "step"),
        "grad_var": variance,
        "grad_cv": variation,
        "grad_var_settled": settled_variance,
        "grad_cv_settled": settled_variation,
        "cpu_seconds": median(row["cpu_seconds"] for row in history),
    }


@torch.no_grad()
def _scores(module: Denoiser, arrays: Arrays, setup: Setup, noisy: Tensor) -> Result:
    """Errors of the trained predictor on the test set."""
    shifted = _on(module, corrupt(arrays.test, setup.shifted_sigma, TEST_NOISE))
    clean, noisy = _on(module, arrays.test), _on(module, noisy)
    found = module.denoise(noisy)
    errors = image_errors(found, clean)
    return {
        "mse": float(errors.mean()),
        "psnr": float(psnr(errors.mean())),
        "psnr_images": float(psnr(errors).mean()),
        "hf_psnr": float(psnr(high_band(found - clean, arrays.shape).square().mean())),
        "mse_shifted": float(image_errors(module.denoise(shifted), clean).mean()),
        "mse_mean": float(image_errors(module.denoise(noisy, mean=True), clean).mean()),
        "floor": float(image_errors(module.perfect(clean), clean).mean()),
    }


def _build(spec: Spec, arrays: Arrays) -> Denoiser:
    """The untrained predictor, with its frozen parts."""
    setup = spec.setup
    if spec.model == "bands":
        width = matched_width(arrays.shape, spec.scales, setup.width)
        torch.manual_seed(derive(spec.seed, 1))
        return Bands(arrays.shape, spec.scales, width, setup.sigma)
    opt = _optimisation(setup, setup.autoencoder_epochs)
    frozen = deepcopy(_autoencoder(arrays, spec.seed, setup.images, setup.bottleneck, opt))
    with torch.no_grad():
        z = frozen.encoder(arrays.limited(setup).train)
    torch.manual_seed(derive(spec.seed, 4))
    head = fit_head(
        spec.model,
        z,
        lambda code, z: fit(code, Tensors(z), opt, seed=derive(spec.seed, 4), quiet=True)[0].cpu(),
        size=setup.codes,
        groups=spec.groups,
        bits=setup.bits,
        seed=spec.seed,
    )
    torch.manual_seed(derive(spec.seed, 1))
    return Latent(frozen.encoder, frozen.decoder, head, setup.width, setup.sigma)


@lru_cache(maxsize=8)
def _autoencoder(
    arrays: Arrays, seed: int, images: int | None, bottleneck: int, opt: Optimisation
) -> Autoencoder:
    """Trained on clean images; runs that differ in the predictor only share it."""
    train = arrays.train[:images]
    torch.manual_seed(derive(seed, 3))
    module = Autoencoder(train.shape[1], bottleneck)
    fit(module, Tensors(train), opt, seed=derive(seed, 3), quiet=True)
    return module.cpu()


def _optimisation(setup: Setup, epochs: int) -> Optimisation:
    """AdamW as in the paper: constant rate, no clipping, last weights."""
    return Optimisation(
        epochs=epochs,
        batch=setup.batch,
        learning_rate=setup.learning_rate,
        final_rate=1,
        warmup=0,
        weight_decay=setup.weight_decay,
        decay_vectors=True,
        beta2=0.999,
        clip=None,
        ema=None,
    )


def _on(module: nn.Module, images: Tensor) -> Tensor:
    """The images on the device of the module."""
    return images.to(next(module.parameters()).device)
