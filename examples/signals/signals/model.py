"""The whole domain: data, configuration, networks, training, and what a user holds."""

from dataclasses import dataclass, field
from math import pi
from pathlib import Path

import torch
from torch import Tensor, nn

import refine_core as rc
from refine_core.config.ranges import PositiveInt, RunName
from refine_core.config.schema import config

CLASSES = ("sine", "square", "saw")


@config
class SignalsConfig:
    """A tokeniser and a generator of signals."""

    name: RunName = "signals"
    """Of the run: everything goes to `runs/<name>/`."""
    seed: int = 0
    """Of data, weights, order and noise."""
    count: PositiveInt = 4000
    """Training signals."""
    tokenizer: rc.Optimisation = field(default_factory=lambda: rc.Optimisation(epochs=10))
    generator: rc.Optimisation = field(default_factory=lambda: rc.Optimisation(epochs=15))


def waves(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Signals (count, 1, 64) of random frequency, phase and size, and their classes (count,)."""
    noise = rc.Noise.range(seed, count)
    draw, label = noise.uniform(0, 3), torch.arange(count) % len(CLASSES)
    turns = draw[:, :1] + (1 + 3 * draw[:, 1:2]) * torch.linspace(0, 1, 64)
    shapes = torch.stack([(2 * pi * turns).sin(), (turns % 1 < 0.5) * 2.0 - 1, turns % 1 * 2 - 1])
    wave = shapes[label, torch.arange(count)] * (0.5 + draw[:, 2:3])
    return (wave + 0.03 * noise.normal(1, 64))[:, None], label


def build_tokenizer() -> rc.ResidualTokenizer:
    """Four points a feature, on grids of 1, 2, 4, 8 and 16 features."""
    schedule = rc.ScaleSchedule.geometric((1,), (16,), 5)
    quantizers = [rc.VQ(64, 8) for _ in schedule]
    encoder = nn.Sequential(nn.Conv1d(1, 64, 12, 4, 4), nn.GELU(), nn.Conv1d(64, 8, 3, 1, 1))
    decoder = nn.Sequential(
        nn.Conv1d(8, 64, 3, 1, 1), nn.GELU(), nn.ConvTranspose1d(64, 1, 12, 4, 4)
    )
    return rc.ResidualTokenizer(
        schedule, rc.area(schedule.sizes), quantizers, encoder, decoder, truncation=0.3
    )


def build(tokenizer: rc.ResidualTokenizer) -> rc.Refiner[Tensor, Tensor, Tensor, Tensor]:
    """Generator over the tokeniser's codes, which can be told the class."""
    embed = rc.GridEmbed(tokenizer, 64, len(CLASSES))
    return rc.build_refiner(tokenizer, embed, dim=64, depth=3, heads=4, context_dropout=0.1)


@dataclass(frozen=True)
class Spec:
    """What a model is rebuilt from."""

    config: SignalsConfig


MODELS = rc.Pretrained("signals.model", Spec, Path(__file__).parent / "weights")


@dataclass
class SignalModel:
    """A trained generator of signals."""

    refiner: rc.Refiner[Tensor, Tensor, Tensor, Tensor]
    config: SignalsConfig

    def sample(self, count: int, label: int, seed: int = 0, guidance: float = 1.0) -> Tensor:
        """Signals (count, 1, 64) of a class; signal i depends on the seed and i only."""
        labels = torch.full((count,), label)
        sampling = [rc.Sampling(guidance=guidance)]
        return self.refiner.sample(rc.Noise.range(seed, count), labels, sampling=sampling)

    @torch.no_grad()
    def log_prob(self, signals: Tensor, labels: Tensor) -> Tensor:
        """Exact log-probability (n,) of the codes of signals (n, 1, 64), in nats."""
        return self.refiner.code_log_prob(signals, labels).sum(1)

    def save(self, path: Path) -> None:
        """Write the model as one file."""
        MODELS.save(path, self.refiner, Spec(self.config))


def load(name: str | Path) -> SignalModel:
    """A trained model, by its file or its run's folder."""
    saved = MODELS.load(name)
    return SignalModel(saved.restore(build(build_tokenizer())), saved.spec.config)


def train(config: SignalsConfig, runs: Path = Path("runs"), quiet: bool = False) -> SignalModel:
    """Train tokeniser, then generator; a call that was stopped goes on when it is repeated."""
    signals, labels = waves(config.count, config.seed)
    stages = rc.Stages(runs / config.name, config.seed, quiet=quiet)
    with stages.seeded(0):
        tokens = build_tokenizer()
    data, opt = rc.Tensors(signals), config.tokenizer
    tokens = stages.train(tokens, data, opt, stream=1, config=config, name="tokenizer")
    with stages.seeded(2):
        refiner = build(tokens)
    data, opt = rc.Tensors(signals, labels), config.generator
    refiner = stages.train(refiner, data, opt, stream=3, config=config, name="generator")
    model = SignalModel(refiner, config)
    model.save(stages.folder / "model.safetensors")
    return model
