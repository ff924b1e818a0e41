"""Trained models: kept as one file, and what a user does with one.

>>> model = load("mnist")                                          # doctest: +SKIP
>>> model.sample(16, seed=0, labels=3).shape                       # doctest: +SKIP
torch.Size([16, 1, 28, 28])
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from images.build import ImageRefiner, build, build_tokenizer, sampling
from images.config import ImagesConfig
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from refine_core.sampling import Keep, Sampling
from refine_core.schedule import ScaleSchedule
from refine_core.storage.pretrained import Pretrained


@dataclass(frozen=True)
class ImageSpec:
    """What a model is rebuilt from; the fields are those of `ImageModel`."""

    config: ImagesConfig
    shape: tuple[int, int, int]
    classes: int


MODELS = Pretrained(
    "images.model", ImageSpec, Path(__file__).parent / "weights", hidden=("evaluator",)
)


@dataclass
class ImageModel:
    """A trained tokeniser and generator.

    Args:
        refiner: In evaluation mode.
        config: That made it.
        shape: (c, h, w) of the images.
        classes: 0 where there are none.
    """

    refiner: ImageRefiner
    config: ImagesConfig
    shape: tuple[int, int, int]
    classes: int

    @property
    def tokenizer(self) -> ResidualTokenizer:
        """The model's tokeniser."""
        assert isinstance(self.refiner.tokenizer, ResidualTokenizer)
        return self.refiner.tokenizer

    @property
    def device(self) -> torch.device:
        """Where the model computes; images come from and go to the CPU."""
        return next(self.refiner.parameters()).device

    @property
    def schedule(self) -> ScaleSchedule:
        """The model's scales."""
        return self.tokenizer.schedule

    def sampling(self, context: Tensor | None) -> tuple[Sampling, ...]:
        """How the model samples each scale unless told otherwise; guided if there are classes."""
        settings = self.config.sampling
        if context is None:
            settings = replace(settings, guidance=(0.0,))
        return sampling(settings, len(self.schedule))

    @torch.no_grad()
    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        labels: int | Sequence[int] | Tensor | None = None,
        batch: int = 100,
        **options: Any,
    ) -> Tensor:
        """Draw images (count, c, h, w) in [0, 1].

        Image i depends on the seed, i and its label only, not on `count` or `batch`.

        Args:
            count: Of images.
            seed: Of the draw.
            labels: One class for all, or one per image; None goes through the classes in turn.
            batch: Images at a time.
            **options: Of `Refiner.sample_trace`.

        Raises:
            InputError: If a label is not a class of the model, or there is not one per image.
        """
        context = self._labels(labels, count)
        options.setdefault("sampling", self.sampling(context))
        parts = []
        for index in torch.arange(count).split(batch):
            given = None if context is None else context[index]
            noise = Noise(seed, index.to(self.device))
            parts.append(self.refiner.sample(noise, given, **options).cpu())
        return torch.cat(parts)

    @torch.no_grad()
    def reconstruct(self, images: Tensor, scales: int | None = None, batch: int = 500) -> Tensor:
        """Encode and decode images (n, c, h, w), by the coarsest `scales` sizes only if given."""
        tokens, kept = self.tokenizer, self._codes(scales)
        parts = [
            tokens.decode(tokens.encode(part.to(self.device))[:kept]).cpu()
            for part in images.split(batch)
        ]
        return torch.cat(parts)

    @torch.no_grad()
    def inpaint(
        self,
        images: Tensor,
        mask: Tensor,
        *,
        seed: int = 0,
        labels: int | Sequence[int] | Tensor | None = None,
    ) -> Tensor:
        """Draw new content where `mask` is True; the rest stays exactly as it is.

        Args:
            images: (n, c, h, w).
            mask: (h, w) bool, True where content is drawn.
            seed: Of the draw.
            labels: As in `sample`.
        """
        tokens = self.tokenizer
        free = mask.float()[None, None]
        size = tokens.schedule[-1].size
        padded = nn.functional.pad(
            free, (0, -free.shape[3] % size[1], 0, -free.shape[2] % size[0])
        )
        kept = []
        for k, (high, wide) in enumerate(tokens.schedule.sizes):
            # A coarse token stays if most of what it stands for does; a finest one, if all does.
            limit = 0.0 if (high, wide) == size else 0.49
            share = nn.functional.adaptive_avg_pool2d(padded, (high, wide)).to(self.device)
            kept.append((tokens.take(share, k)[..., 0] <= limit).expand(len(images), -1))
        context = self._labels(labels, len(images), cycle=False)
        drawn = self.refiner.sample(
            Noise.range(seed, len(images), self.device),
            context,
            sampling=self.sampling(context),
            keep=Keep(tokens.features(images.to(self.device)), kept),
        )
        return torch.where(mask, drawn.cpu(), images)

    def super_resolve(
        self,
        images: Tensor,
        scales: int,
        *,
        seed: int = 0,
        labels: int | Sequence[int] | Tensor | None = None,
    ) -> Tensor:
        """Keep the coarsest `scales` sizes of images (n, c, h, w) and draw the finer ones anew.

        Raises:
            InputError: If there are fewer sizes.
        """
        kept = self._codes(scales)
        context = self._labels(labels, len(images), cycle=False)
        drawn = self.refiner.sample(
            Noise.range(seed, len(images), self.device),
            context,
            sampling=self.sampling(context),
            codes=self.tokenizer.encode(images.to(self.device))[:kept],
        )
        return drawn.cpu()

    def _codes(self, sizes: int | None) -> int | None:
        """How many codes the coarsest sizes take, in parts."""
        complete = self.schedule.complete
        if sizes is None or sizes == 0:
            return sizes
        if not 0 < sizes <= len(complete):
            raise InputError(
                f"Found {sizes} scales to keep, expected a number from 0 to {len(complete)}, the "
                "model's count of sizes."
            )
        return complete[sizes - 1] + 1

    def with_sampling(self, **values: Any) -> "ImageModel":
        """The same model with other sampling settings (fields of `SamplingConfig`)."""
        return replace(
            self, config=replace(self.config, sampling=replace(self.config.sampling, **values))
        )

    def save(self, path: Path, *, half: bool = True) -> None:
        """Write the model as one safetensors file, by default in half precision."""
        spec = ImageSpec(self.config, self.shape, self.classes)
        MODELS.save(path, self.refiner, spec, half=half)

    def _labels(
        self, labels: int | Sequence[int] | Tensor | None, count: int, *, cycle: bool = True
    ) -> Tensor | None:
        if labels is None:
            turns = torch.arange(count, device=self.device) % max(self.classes, 1)
            return turns if cycle and self.classes else None
        given = torch.as_tensor(labels, device=self.device)
        given = given.expand(count) if given.ndim == 0 else given
        if len(given) != count:
            raise InputError(
                f"{len(given)} labels for {count} images: give one for all, or one each."
            )
        wrong = given[(given < -1) | (given >= max(self.classes, 1))]
        if len(wrong):
            raise InputError(
                f"Labels of this model are 0 to {self.classes - 1}, found {int(wrong[0])}."
            )
        return given


def load(name: str | Path, device: str = "cpu") -> ImageModel:
    """A shipped model by name, or a trained one by path (of its file or its run's folder).

    Raises:
        InputError: If there is no such model, or the file is not one.
    """
    saved = MODELS.load(name)
    config, shape, classes = saved.spec.config, saved.spec.shape, saved.spec.classes
    tokens = build_tokenizer(config.tokenizer, shape[0], shape[1:])
    refiner = saved.restore(build(config.generator, tokens, classes), device)
    return ImageModel(refiner, config, shape, classes)
