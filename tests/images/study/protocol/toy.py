"""Two arms that train in a second on striped images, and a study of them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from images.config import TokenizerConfig
from images.evaluation.classifier import EVALUATORS, Evaluator, EvaluatorShape, EvaluatorSpec
from images.study import build, registry
from images.study.config import BackboneConfig, Budget, Measurement, StudyConfig, Tuning
from images.study.model import Bits, Setting, StudyModel
from images.study.registry import StudyArm
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from tests.images.tiny import CONFIG, IMAGES

ARMS = {
    "toy-scales": StudyArm("toy scales", "refinement", "latents", "codes", "scales", 3),
    "toy-steps": StudyArm("toy steps", "diffusion", "pixels", "free", "diffusion", 1),
}
SHAPE = IMAGES.shape


class Toy(StudyModel):
    """A learned mean of each class; samples have less noise, the more calls they take.

    Args:
        calls: Of its settings.
        tokenizer: Reconstructs samples, where there is one.
    """

    def __init__(self, calls: tuple[int, ...], tokenizer: ResidualTokenizer | None) -> None:
        super().__init__()
        self.calls, self.tokens = calls, 12
        self.tokenizer = None if tokenizer is None else tokenizer.requires_grad_(False)
        self.means = nn.Parameter(0.1 * torch.randn(3, *SHAPE))
        self.register_buffer("spread", torch.ones(()))

    def forward(self, batch: tuple[Tensor, Tensor], noise: Noise) -> dict[str, Tensor]:
        images, labels = batch
        away = self.means[labels] + 0.1 * noise.normal(0, *SHAPE) - images
        return {"loss": away.square().mean()}

    def settings(self) -> list[Setting]:
        return [Setting(calls) for calls in self.calls]

    def sample(self, noise: Noise, labels: Tensor, setting: Setting) -> Tensor:
        mean = self.means[labels] + setting.guidance * (self.means[labels] - self.means[2])
        image = (mean + 0.5 / setting.calls * noise.normal(1, *SHAPE)).clamp(0, 1)
        tokens = self.tokenizer
        return image if tokens is None else tokens.decode(tokens.encode(image))

    def states(self, noise: Noise, labels: Tensor, setting: Setting) -> list[Tensor]:
        counts = range(1, setting.calls + 1)
        return [self.sample(noise, labels, Setting(n, "", setting.guidance)) for n in counts]

    def guess(
        self,
        images: Tensor,
        labels: Tensor,
        step: int,
        setting: Setting,
        forward: Noise,
        noise: Noise,
    ) -> Tensor:
        share = step / setting.calls
        return share * images + (1 - share) * self.means[labels]

    def calibrate(self, images: Tensor, labels: Tensor, noise: Noise) -> None:
        self.get_buffer("spread").fill_((images - self.means[labels]).detach().std())

    def bits(self, images: Tensor, labels: Tensor, noise: Noise) -> Bits | None:
        if self.tokenizer is None:
            return None
        law = torch.distributions.Normal(self.means[labels].detach(), self.get_buffer("spread"))
        return Bits(8 - law.log_prob(images).flatten(1).mean(1).double() / 0.6931, "exact")


def build_toy(
    name: str,
    config: StudyConfig,
    tokenizer: ResidualTokenizer | None,
    images: Tensor,
    classes: int,
) -> StudyModel:
    assert len(images) and classes == 2
    assert (tokenizer is None) == (name == "toy-steps")
    return Toy((3,) if name == "toy-scales" else (1, 2, 4), tokenizer)


def tokenizer_of(name: str, config: StudyConfig) -> TokenizerConfig | None:
    return None if name == "toy-steps" else config.tokenizer


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the toy arms in the place of the real ones."""
    for name, arm in ARMS.items():
        monkeypatch.setitem(registry.ARMS, name, arm)
    monkeypatch.setattr(build, "build_arm", build_toy)
    monkeypatch.setattr(build, "arm_tokenizer", tokenizer_of)


def judge(path: Path) -> Path:
    """An untrained classifier of the images, in a file."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        evaluator = Evaluator(1, SHAPE[1:], 2)
    EVALUATORS.save(path, evaluator, EvaluatorSpec(EvaluatorShape(1, SHAPE[1:], 2)))
    return path


def toy_config(path: Path) -> StudyConfig:
    """A study of the toy arms, with its classifier in `path`."""
    return StudyConfig(
        arms=tuple(ARMS),
        refiner="toy-scales",
        seeds=(0, 1),
        judge=judge(path / "judge.safetensors"),
        backbone=BackboneConfig(dim=16, depth=1, heads=2, parameters=396),
        tokenizer=CONFIG.tokenizer,
        budget=Budget(tokens=12 * 16 * 40, batch=16, points=3, precision="32-true"),
        tuning=Tuning(
            images=24, samples=20, learning_rates=(0.01, 0.1), share=0.25, guidance=(0.0, 0.5)
        ),
        measurement=Measurement(
            samples=40,
            calls=(1, 2, 3, 4),
            unguided_calls=2,
            bits_images=10,
            fit_images=50,
            energy_samples=10,
            timed_images=10,
            timed_rounds=2,
        ),
        workers=1,
    )
