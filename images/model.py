"""What a user holds: a model that samples and edits images, is saved and loaded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn

from images.build import ImageRefiner, build_network, sampling
from images.config import ImagesConfig
from images.data.load import Images
from refine_core.app.processes.memory import check_memory
from refine_core.app.processes.workers import Workers, map_in_workers
from refine_core.device import Device
from refine_core.errors import InputError
from refine_core.methods.base import Method
from refine_core.methods.registry import SamplingMethods, build_methods
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from refine_core.sampling.intermediates import AfterScale, Intermediates, through
from refine_core.sampling.settings import Keep, Sampling
from refine_core.schedule import ScaleSchedule
from refine_core.storage.model_card import ModelCard
from refine_core.storage.pretrained import Pretrained, StoredModel

Labels = int | Sequence[int] | Tensor | None
"""One class for all images, one per image (-1 is any class), or None."""


@dataclass(frozen=True)
class ImageSpec:
    """What a model is rebuilt from; the fields are those of `ImageModel`."""

    config: ImagesConfig
    shape: tuple[int, int, int]
    classes: int


MODELS = Pretrained(
    "images.model", ImageSpec, Path(__file__).parent / "weights", hidden=("evaluator",)
)


class SamplingFields(TypedDict, total=False):
    """Fields of `SamplingConfig`."""

    temperature: tuple[float, ...]
    top_k: tuple[int | None, ...]
    top_p: tuple[float, ...]
    guidance: tuple[float, ...]
    methods: SamplingMethods


@dataclass
class ImageModel(StoredModel):
    """A tokeniser and a generator of images. Images come from and go to the CPU.

    Args:
        refiner: The generator, with its tokeniser, in evaluation mode.
        config: The config they were built from.
        shape: (c, h, w) of the images.
        classes: Count of classes; 0 if there are none.

    Raises:
        InputError: The sampling section of the config does not fit the model's scales.

    >>> import torch
    >>> import images
    >>> model = images.load("mnist")
    >>> digits = model.sample(2, labels=[3, 7])
    >>> below = torch.arange(28)[:, None].expand(28, 28) >= 14
    >>> others = model.inpaint(digits, below, seed=1, labels=[3, 7])  # other lower halves
    >>> others.shape, bool((others == digits)[:, :, :14].all())
    (torch.Size([2, 1, 28, 28]), True)
    """

    refiner: ImageRefiner
    config: ImagesConfig
    shape: tuple[int, int, int]
    classes: int

    def __post_init__(self) -> None:
        self.sampling(None)
        self.methods: list[Method[Tensor, Tensor, Tensor, Tensor]] = build_methods(
            self.config.sampling.methods
        )
        for method in [*self.refiner.own_methods, *self.methods]:
            method.connect(self.refiner, lambda name: load(name, "cpu").refiner)

    @property
    def tokenizer(self) -> ResidualTokenizer:
        """The model's tokeniser."""
        assert isinstance(self.refiner.tokenizer, ResidualTokenizer)
        return self.refiner.tokenizer

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.refiner.parameters()).device

    @property
    def schedule(self) -> ScaleSchedule:
        """The model's scales, one per network call."""
        return self.tokenizer.schedule

    def sampling(self, context: Tensor | None) -> tuple[Sampling, ...]:
        """How each scale is sampled; without guidance where there are no classes."""
        found = sampling(self.config.sampling, len(self.schedule))
        return found if context is not None else tuple(replace(s, guidance=0.0) for s in found)

    def with_sampling(self, **values: Unpack[SamplingFields]) -> "ImageModel":
        """The same model with other fields of `SamplingConfig`.

        Raises:
            InputError: A value is out of range, or there are neither one nor one per scale.
        """
        settings = replace(self.config.sampling, **values)
        return replace(self, config=replace(self.config, sampling=settings))

    @torch.no_grad()
    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        labels: Labels = None,
        scales: int | None = None,
        batch: int = 100,
        cached: bool = True,
        workers: Workers = "auto",
        after_scale: AfterScale[Tensor] | None = None,
    ) -> Tensor:
        """Sample images (count, c, h, w) in [0, 1].

        Image i depends on the seed, i and its label only, not on `count` or `batch`.

        Args:
            count: Count of images.
            seed: Seed of the samples.
            labels: Classes; None goes through the classes in turn.
            scales: Stop after that many of the coarsest sizes; 0 decodes nothing but zeros.
            batch: Images computed at a time.
            cached: Whether keys and values are kept between calls; the result is the same.
            workers: Processes that share the batches, of one thread each; "auto" is one for each
                core where that pays. The images are the same. With `after_scale` this process
                alone.
            after_scale: Called after each network call of each batch, with its images (b, c, h, w)
                as they are so far.

        Raises:
            InputError: A count is below 1, a label is not a class of the model, there is not one
                label per image, the model has fewer sizes, or the images do not fit into memory.
        """
        _check_counts(count=count, batch=batch)
        nbytes = 4 * count * math.prod(self.shape)
        check_memory(nbytes, f"A batch of {count} images", "sample them in several files")
        context, calls = self._context(labels, count, cycle=True), self._calls(scales)
        index = torch.arange(count, device=self.device).split(batch)
        inputs = ((each, None if context is None else context[each]) for each in index)
        draw = partial(self._draw, seed, calls, cached, after_scale)
        if after_scale is not None:
            workers = 1
        device = self.device.type
        return torch.cat([*map_in_workers(draw, inputs, len(index), workers, device=device)])

    @torch.no_grad()
    def _draw(
        self,
        seed: int,
        calls: int | None,
        cached: bool,
        after_scale: AfterScale[Tensor] | None,
        given: tuple[Tensor, Tensor | None],
    ) -> Tensor:
        """Images (b, c, h, w) on the CPU, of their numbers (b,) and classes (b,)."""
        index, context = given
        return self.refiner.sample(
            Noise(seed, index),
            context,
            sampling=self.sampling(context),
            scales=calls,
            cached=cached,
            methods=self.methods,
            after_scale=through(after_scale, Tensor.cpu),
        ).cpu()

    def sample_steps(self, count: int, *, seed: int = 0, labels: Labels = None) -> list[Tensor]:
        """Sample images (count, c, h, w) as `sample` does; return them after each network call."""
        steps = Intermediates[Tensor]()
        self.sample(count, seed=seed, labels=labels, batch=max(1, count), after_scale=steps)
        return [step.data for step in steps]

    @torch.no_grad()
    def reconstruct(self, images: Tensor, scales: int | None = None, batch: int = 500) -> Tensor:
        """Encode and decode images (n, c, h, w).

        Args:
            images: (n, c, h, w) in [0, 1].
            scales: Decode that many of the coarsest sizes only; 0 decodes nothing but zeros.
            batch: Images computed at a time.

        Raises:
            InputError: The images have another shape, the model fewer sizes, or `batch` is not
                positive.
        """
        _check_counts(batch=batch)
        self.check_images(images)
        tokens, calls = self.tokenizer, self._calls(scales)
        parts = []
        for part in images.to(self.device).split(batch):
            codes = [] if calls == 0 else tokens.encode(part)[:calls]
            decoded = tokens.decode(codes) if codes else tokens.finish(tokens.start(len(part)))
            parts.append(decoded.cpu())
        return torch.cat(parts)

    @torch.no_grad()
    def inpaint(
        self, images: Tensor, mask: Tensor, *, seed: int = 0, labels: Labels = None
    ) -> Tensor:
        """Sample new content where `mask` is True; all other pixels stay exactly as they are.

        Args:
            images: (n, c, h, w) in [0, 1].
            mask: (h, w) bool, True where new content is sampled.
            seed: Seed of the samples.
            labels: Classes; None is any class.

        Raises:
            InputError: Images, mask or labels do not fit the model.
        """
        self.check_images(images)
        if mask.dtype != torch.bool or mask.shape != self.shape[1:]:
            raise InputError(
                f"Found a mask of {mask.dtype} and shape {tuple(mask.shape)}, expected torch.bool "
                f"and {self.shape[1:]}."
            )
        reference = self.tokenizer.features(images.to(self.device))
        sampled = self._edit(
            seed, labels, len(images), keep=Keep(reference, self._unmasked(mask, len(images)))
        )
        return torch.where(mask, sampled, images)

    @torch.no_grad()
    def super_resolve(
        self, images: Tensor, scales: int, *, seed: int = 0, labels: Labels = None
    ) -> Tensor:
        """Keep the coarsest `scales` sizes of images (n, c, h, w) and sample the finer ones.

        Args:
            images: (n, c, h, w) in [0, 1].
            scales: Sizes to keep; 0 keeps nothing of the images.
            seed: Seed of the samples.
            labels: Classes; None is any class.

        Raises:
            InputError: Images or labels do not fit the model, or it has fewer sizes.
        """
        self.check_images(images)
        codes = self.tokenizer.encode(images.to(self.device))[: self._calls(scales)]
        return self._edit(seed, labels, len(images), codes=codes)

    @classmethod
    def from_pretrained(cls, folder: str | Path, device: Device = "auto") -> "ImageModel":
        """The model that `save_pretrained` wrote to a folder; see `load`, which reads it too."""
        return load(folder, device)

    def check_images(self, images: Tensor) -> None:
        """Refuse images that are not of the model's shape.

        Raises:
            InputError: They are not, or there are none.
        """
        if images.shape[1:] != self.shape or not len(images):
            raise InputError(
                f"Found images of shape {tuple(images.shape)}, expected one or more "
                f"of {self.shape}."
            )

    def check_data(self, data: Images, *, labelled: bool = False) -> None:
        """Refuse data that are not of the model's shape and classes.

        Raises:
            InputError: They are not, or have no labels where `labelled` and the model has classes.
        """
        if data.shape != self.shape:
            raise InputError(
                f"The model makes images of shape {self.shape}, the data has {data.shape}: give "
                "the images it was trained on."
            )
        lacking = labelled and data.train.labels is None
        if self.classes and (lacking or data.classes > self.classes):
            raise InputError(
                f"The model has {self.classes} classes, the data {data.classes}: give the "
                "labelled images it was trained on."
            )

    @property
    def _stored(self) -> tuple[Pretrained[ImageSpec], nn.Module, ImageSpec]:
        return MODELS, self.refiner, ImageSpec(self.config, self.shape, self.classes)

    def _card(self) -> ModelCard:
        sizes = " ".join(f"{high}x{wide}" for high, wide in dict.fromkeys(self.schedule.sizes))
        return ModelCard(
            self.config.name,
            "Images from coarse to fine, by refinement of discrete codes.",
            "images",
            """
import images

model = images.ImageModel.from_pretrained(".")  # this folder
made = model.sample(4, seed=0)  # (4, channels, height, width) in [0, 1]
""",
            {
                "channels, height, width": " x ".join(map(str, self.shape)),
                "classes": self.classes or "none",
                "sizes": sizes,
                "network calls": len(self.schedule),
                "parameters": sum(each.numel() for each in self.refiner.parameters()),
            },
            ("image-generation",),
        )

    def _edit(
        self,
        seed: int,
        labels: Labels,
        count: int,
        *,
        codes: Sequence[Tensor] = (),
        keep: Keep[Tensor] | None = None,
    ) -> Tensor:
        """Samples (count, c, h, w) that keep codes or a region."""
        context = self._context(labels, count)
        noise = Noise.range(seed, count, self.device)
        sampling = self.sampling(context)
        return self.refiner.sample(
            noise, context, sampling=sampling, codes=codes, keep=keep, methods=self.methods
        ).cpu()

    def _unmasked(self, mask: Tensor, count: int) -> list[Tensor]:
        """Tokens (count, n_k) bool of each scale that stay as they are."""
        tokens, free = self.tokenizer, mask.float()[None, None]
        size = tokens.schedule[-1].size
        padding = (0, -free.shape[3] % size[1], 0, -free.shape[2] % size[0])
        padded = nn.functional.pad(free, padding)
        found = []
        for k, (high, wide) in enumerate(tokens.schedule.sizes):
            # A coarse token stays if most of its pixels do, a finest one if all do.
            limit = 0.0 if (high, wide) == size else 0.49
            share = nn.functional.adaptive_avg_pool2d(padded, (high, wide)).to(self.device)
            found.append((tokens.take(share, k)[..., 0] <= limit).expand(count, -1))
        return found

    def _calls(self, sizes: int | None) -> int | None:
        """Network calls for the coarsest sizes, each of which may take several."""
        if sizes is None or sizes == 0:
            return sizes
        complete = self.schedule.complete
        if not 0 < sizes <= len(complete):
            raise InputError(
                f"Found {sizes} scales, expected a number from 0 to {len(complete)}, the model's "
                "count of sizes."
            )
        return complete[sizes - 1] + 1

    def _context(self, labels: Labels, count: int, *, cycle: bool = False) -> Tensor | None:
        """One class (count,) per image; None where there are no classes to give."""
        if labels is None:
            turns = torch.arange(count, device=self.device) % max(self.classes, 1)
            return turns if cycle and self.classes else None
        if not self.classes:
            raise InputError("The model has no classes, so it takes no labels: leave them out.")
        given = torch.as_tensor(labels).cpu()
        if given.is_floating_point() or given.ndim > 1:
            raise InputError(
                f"Found labels of {given.dtype} and shape {tuple(given.shape)}, expected whole "
                "numbers: one for all images, or one each."
            )
        given = given.long().expand(count) if given.ndim == 0 else given.long()
        if len(given) != count:
            raise InputError(
                f"{len(given)} labels for {count} images: give one for all, or one each."
            )
        wrong = given[(given < -1) | (given >= self.classes)]
        if len(wrong):
            raise InputError(
                f"Labels of this model are 0 to {self.classes - 1}, found {int(wrong[0])}."
            )
        return given.to(self.device)


def load(name: str | Path, device: Device = "auto") -> ImageModel:
    """A shipped model by name, or a trained one by path (of its file or its run's folder).

    Args:
        name: Name of a shipped model, a run's folder (with `model.safetensors`), or a file.
        device: Where it computes, such as cpu or cuda; auto takes an accelerator if there is one.

    Raises:
        InputError: There is no such model or device, or the file is not one.

    >>> import images
    >>> model = images.load("mnist")
    >>> model.sample(2, seed=0, labels=3).shape
    torch.Size([2, 1, 28, 28])
    """
    saved = MODELS.load(name)
    spec = saved.spec
    refiner = build_network(spec.config, spec.shape, spec.classes)
    return ImageModel(saved.restore(refiner, device), spec.config, spec.shape, spec.classes)


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"Found {name} {count}, expected a whole number above 0.")
