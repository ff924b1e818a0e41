"""One experiment: a predictor is trained on noisy images and measured on the test set."""

import json
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import median
from typing import cast

import torch
from torch import Tensor, nn

from images.experiments.config import Setup
from images.experiments.denoisers import (
    TEST_NOISE,
    Bands,
    Denoiser,
    FlatImages,
    Latent,
    add_noise,
    matched_width,
    mlp_size,
    stage_sizes,
)
from images.experiments.heads import Autoencoder, fit_head
from images.experiments.metrics import first_below, gradient_spread, high_band, image_errors, psnr
from refine_core.noise import derive
from refine_core.storage.files import digest
from refine_core.training.config import Optimisation
from refine_core.training.data import Tensors
from refine_core.training.loop import fit
from refine_core.training.step import trained_parameters

Row = dict[str, float]
"""Metrics of one epoch."""


@dataclass(frozen=True)
class Experiment:
    """What is trained.

    Args:
        model: "bands", or the head of a latent predictor (see `heads.HEADS`).
        seed: Seed of initial weights, order, noise and codebooks.
        setup: How it is trained.
        scales: Bands of "bands"; their perceptrons share the parameters of a single one.
        groups: Groups of latent dimensions of the head "softmax".
    """

    model: str
    seed: int
    setup: Setup
    scales: int = 1
    groups: int = 1

    def key(self, fingerprint: str) -> str:
        """Name of the file of its result, a function of the experiment and the data only."""
        text = json.dumps([asdict(self), fingerprint], sort_keys=True)
        return digest(text)

    def cost(self, images: FlatImages) -> float:
        """Rough CPU-seconds: a multiplication by every parameter, and noise for every pixel."""
        setup, pixels = self.setup, images.train.shape[1]
        outputs = {"regression": setup.bottleneck, "softmax": setup.codes * self.groups}
        size = mlp_size((setup.bottleneck, outputs.get(self.model, setup.bits)), setup.width)
        if self.model == "bands":
            size = mlp_size(stage_sizes(images.shape, 1)[0], setup.width)
            size += (self.scales - 1) * 200 * pixels
        count = len(images.limited(setup).train) * setup.epochs
        return 1e-10 * count * (size + 300 * pixels)


@dataclass(frozen=True)
class Result:
    """What was measured in one experiment.

    Args:
        model: `Experiment.model`.
        values: Quantities by name; None stands for an error that was never reached.
        history: One row per epoch.
        spec: The experiment as JSON values.
    """

    model: str
    values: Mapping[str, float | None]
    history: list[Row]
    spec: dict[str, object]

    def number(self, name: str) -> float:
        """A quantity that is always reached."""
        value = self.values[name]
        assert value is not None, name
        return value

    def to_json(self) -> dict[str, object]:
        """One flat dictionary of JSON values."""
        return {**self.values, "spec": self.spec, "history": self.history}

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> "Result":
        """Inverse of `to_json`."""
        spec = cast(dict[str, object], plain["spec"])
        values = {k: cast(float | None, v) for k, v in plain.items() if k not in _NESTED}
        return cls(str(spec["model"]), values, cast(list[Row], plain["history"]), spec)


_NESTED = ("spec", "history")


def run_experiment(
    experiment: Experiment, images: FlatImages, tick: Callable[[float], None]
) -> Result:
    """Train one predictor and measure it.

    Args:
        experiment: What to train.
        images: All the data; the setup may limit it.
        tick: Called after each epoch with its share of the experiment.
    """
    setup, limited = experiment.setup, images.limited(experiment.setup)
    with torch.random.fork_rng(devices=[]):
        module = _build(experiment, images)
    noisy = add_noise(limited.test, setup.sigma, TEST_NOISE)
    every = -(-setup.epochs // setup.validations)
    epoch, started = 0, time.process_time()

    def validate(trained: nn.Module) -> Row:
        nonlocal epoch, started
        row = {"cpu_seconds": time.process_time() - started}
        epoch += 1
        if epoch % every == 0 or epoch == setup.epochs:
            found = module.denoise(_to_device(module, noisy)).cpu()
            row["mse"] = float(image_errors(found, limited.test).mean())
        tick(1 / setup.epochs)
        started = time.process_time()
        return row

    seed = derive(experiment.seed, 2)
    opt = _optimisation(setup, setup.epochs)
    _, history = fit(module, Tensors(limited.train), opt, seed=seed, validate=validate, quiet=True)
    trained = trained_parameters(module)
    values = _training_course(history, setup.target) | _test_scores(module, limited, setup, noisy)
    values["parameters"] = trained
    return Result(experiment.model, values, history, asdict(experiment))


def _training_course(history: list[Row], target: float) -> dict[str, float | None]:
    """Quantities that follow from the metrics of the epochs."""
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
def _test_scores(
    module: Denoiser, images: FlatImages, setup: Setup, noisy: Tensor
) -> dict[str, float | None]:
    """Errors of the trained predictor on the test set."""
    shifted = _to_device(module, add_noise(images.test, setup.shifted_sigma, TEST_NOISE))
    clean, noisy = _to_device(module, images.test), _to_device(module, noisy)
    found = module.denoise(noisy)
    errors = image_errors(found, clean)
    return {
        "mse": float(errors.mean()),
        "psnr": float(psnr(errors.mean())),
        "psnr_images": float(psnr(errors).mean()),
        "hf_psnr": float(psnr(high_band(found - clean, images.shape).square().mean())),
        "mse_shifted": float(image_errors(module.denoise(shifted), clean).mean()),
        "mse_mean": float(image_errors(module.denoise(noisy, mean=True), clean).mean()),
        "floor": float(image_errors(module.perfect(clean), clean).mean()),
    }


def _build(experiment: Experiment, images: FlatImages) -> Denoiser:
    """The untrained predictor, with its frozen parts."""
    setup, seed = experiment.setup, experiment.seed
    if experiment.model == "bands":
        width = matched_width(images.shape, experiment.scales, setup.width)
        torch.default_generator.manual_seed(derive(seed, 1))
        return Bands(images.shape, experiment.scales, width, setup.sigma)
    opt = _optimisation(setup, setup.autoencoder_epochs)
    autoencoder = deepcopy(_autoencoder(images, seed, setup.images, setup.bottleneck, opt))
    with torch.no_grad():
        z = autoencoder.encoder(images.limited(setup).train)
    torch.default_generator.manual_seed(derive(seed, 4))
    head = fit_head(
        experiment.model,
        z,
        lambda code, z: fit(code, Tensors(z), opt, seed=derive(seed, 4), quiet=True)[0].cpu(),
        size=setup.codes,
        groups=experiment.groups,
        bits=setup.bits,
        seed=seed,
    )
    torch.default_generator.manual_seed(derive(seed, 1))
    return Latent(autoencoder.encoder, autoencoder.decoder, head, setup.width, setup.sigma)


@lru_cache(maxsize=8)
def _autoencoder(
    images: FlatImages, seed: int, limit: int | None, bottleneck: int, opt: Optimisation
) -> Autoencoder:
    """Autoencoder trained on clean images, the same for all predictors of a seed and setup."""
    train = images.train[:limit]
    torch.default_generator.manual_seed(derive(seed, 3))
    module = Autoencoder(train.shape[1], bottleneck)
    fit(module, Tensors(train), opt, seed=derive(seed, 3), quiet=True)
    return module.cpu()


def _optimisation(setup: Setup, epochs: int) -> Optimisation:
    """AdamW as in the paper: constant rate, no clipping, the last weights."""
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


def _to_device(module: nn.Module, images: Tensor) -> Tensor:
    return images.to(next(module.parameters()).device)
