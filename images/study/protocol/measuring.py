"""What is measured of a trained arm: quality at each cost, bits, and the energy of every step."""

import base64
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from images.study.model import Setting, StudyModel
from images.study.protocol.energy import Descent, descent
from images.study.protocol.scoring import Bench, Scores, as_trained, distance, sample
from refine_core.app.parallel import Tick
from refine_core.noise import Noise, derive

SHEET = 20
"""Samples of each arm that are kept as pictures, the classes in turn."""
Which = Literal["trial", "guidance", "point", "energy", "sheet", "bits", "fit", "descent"]
_STREAMS: dict[Which, int] = {
    "trial": 10,
    "guidance": 11,
    "point": 12,
    "energy": 13,
    "sheet": 14,
    "bits": 15,
    "fit": 16,
    "descent": 17,
}


def judged(settings: Sequence[Setting], calls: int) -> Setting:
    """The first setting of most calls among those of at most `calls`, or else the cheapest.

    >>> judged([Setting(4), Setting(16), Setting(64)], 20).calls
    16
    """
    few = [each for each in settings if each.calls <= calls]
    return max(few, key=lambda each: each.calls) if few else min(settings, key=lambda s: s.calls)


def group(setting: Setting, many: int) -> str:
    """Name of the settings with which one shares a weight of guidance.

    They are those of its sampler with more than `many` calls; of fewer calls each has its own.

    >>> group(Setting(16, "ddim"), 16), group(Setting(32, "ddim"), 16), group(Setting(4), 16)
    ('ddim 16', 'ddim, many calls', '')
    """
    if setting.calls > many:
        return f"{setting.sampler}, many calls"
    return f"{setting.sampler} {setting.calls}" if setting.sampler else ""


def groups(settings: Sequence[Setting], many: int) -> dict[str, list[Setting]]:
    """Settings by their `group`."""
    found: dict[str, list[Setting]] = {}
    for setting in settings:
        found.setdefault(group(setting, many), []).append(setting)
    return found


def trial_scores(model: StudyModel, bench: Bench, seed: int) -> Scores:
    """`frechet` and `accuracy` against held-out images, unguided, by the judged setting."""
    tuning = bench.config.tuning
    setting = judged(model.settings(), tuning.calls)
    made = sample(model, bench, setting, tuning.samples, "held", derive(seed, _STREAMS["trial"]))
    return bench.score(made, "held", brief=True)


def choose_guidance(
    model: StudyModel, bench: Bench, settings: Sequence[Setting], seed: int, tick: Tick
) -> dict[str, object]:
    """Try every weight of guidance on held-out images, for each of the `groups` of settings.

    Returns:
        By the name of the group, the best `guidance`, the `calls` by which it was judged, and the
        distance and accuracy of all.
    """
    tuning, own = bench.config.tuning, derive(seed, _STREAMS["guidance"])
    found: dict[str, object] = {}
    each = groups(settings, bench.config.measurement.many)
    for name, members in each.items():
        setting, rows = judged(members, tuning.calls), []
        for weight in tuning.guidance:
            guided = replace(setting, guidance=weight)
            made = sample(model, bench, guided, tuning.samples, "held", own)
            rows.append({"guidance": weight, **bench.score(made, "held", brief=True)})
            tick(1 / (len(each) * len(tuning.guidance)))
        best = min(rows, key=lambda row: distance(row))
        found[name] = {
            "guidance": best["guidance"],
            "calls": setting.calls,
            "candidates": rows,
        }
    return {"groups": found}


def measure_point(
    model: StudyModel, bench: Bench, setting: Setting, seed: int, tick: Tick
) -> dict[str, object]:
    """All scores of the samples of one setting against test images."""
    count = bench.config.measurement.samples
    own = derive(seed, _STREAMS["point"])
    made = sample(model, bench, setting, count, "test", own, tick)
    return {"guidance": setting.guidance, **bench.score(made, "test")}


def measure_bits(model: StudyModel, bench: Bench, seed: int, tick: Tick) -> dict[str, object]:
    """Bits per dimension of test images: mean, standard error and kind; None without any."""
    measurement, train = bench.config.measurement, bench.train
    assert train.labels is not None
    few = slice(measurement.fit_images)
    index = torch.arange(len(train.images[few]))
    noise = Noise(derive(seed, _STREAMS["fit"]), index)
    model.calibrate(train.images[few], train.labels[few], noise)
    count, own = measurement.bits_images, derive(seed, _STREAMS["bits"])
    parts, kind = list[Tensor](), ""
    real, labels = bench.real("test", count).images, bench.labels("test", count)
    with torch.no_grad():
        for index in torch.arange(count).split(100):
            found = model.bits(real[index], labels[index], Noise(own, index))
            if found is None:
                return {"bits": None, "error": None, "kind": None}
            parts.append(found.per_dim.double())
            kind = found.kind
            tick(len(index) / count)
    bits = torch.cat(parts)
    error = float(bits.std()) / math.sqrt(count)
    return {"bits": _finite(bits.mean()), "error": error, "kind": kind}


@dataclass(frozen=True)
class Energy:
    """How far an image is from the real ones of its class: E(x; c) of eq. 11 of the paper.

    It is the squared Mahalanobis distance of the classifier's features from the mean of the class,
    in the covariance within classes of real images, per feature: about 1 for real images.

    Args:
        means: (classes, d).
        precision: (d, d), inverse of the covariance within classes.
    """

    means: Tensor
    precision: Tensor

    RIDGE = 0.01

    @classmethod
    def fit(cls, bench: Bench) -> "Energy":
        """Energy by the statistics of training images; a class that they lack has none."""
        images, labels = bench.train.images[:20_000], bench.train.labels
        assert labels is not None
        features = bench.judge.evaluate(images).features.double()
        labels = labels[: len(images)]
        classes = range(bench.classes)
        means = torch.stack([features[labels == label].mean(0) for label in classes])
        spread = features - means[labels]
        covariance = spread.T @ spread / len(spread)
        ridge = cls.RIDGE * torch.eye(len(covariance), dtype=torch.float64)
        return cls(means, torch.linalg.inv(covariance + ridge))

    def __call__(self, bench: Bench, images: Tensor, labels: Tensor) -> Tensor:
        """Energy (n,) of images (n, c, h, w) of the classes (n,)."""
        away = bench.judge.evaluate(images).features.double() - self.means[labels]
        return torch.einsum("ni,ij,nj->n", away, self.precision, away) / away.shape[1]


def measure_energy(
    model: StudyModel, bench: Bench, setting: Setting, seed: int, tick: Tick
) -> dict[str, object]:
    """Energies after each call, of samples and of test images on the way; and a sheet.

    `mean` and `fell` are of samples: the energy of `Energy`, and the share of those whose it fell.
    `error` and `decrease`, with its standard error, are those of `images.study.protocol.energy`,
    unguided. `floor` is the Frechet distance of test images that the arm's space has taken in and
    given back, which no samples of it are expected to beat.
    """
    count, energy = bench.config.measurement.energy_samples, Energy.fit(bench)
    own, labels = derive(seed, _STREAMS["energy"]), bench.labels("test", count)
    columns = []
    with torch.no_grad(), as_trained(model, bench.config.budget.precision):
        for index in torch.arange(count).split(100):
            states = model.states(Noise(own, index), labels[index], setting)
            columns.append(torch.stack([energy(bench, x, labels[index]) for x in states]))
            tick(len(index) / count)
        turns = torch.arange(SHEET)
        noise = Noise(derive(seed, _STREAMS["sheet"]), turns)
        sheet = model.sample(noise, turns % bench.classes, setting)
        plain = replace(setting, guidance=0.0)
        way = _descent(model, bench, plain, seed)
        kept = _kept(model, bench, plain, seed)
    every = torch.cat(columns, 1)  # (calls, count)
    return {
        "calls": setting.calls,
        "guidance": setting.guidance,
        "mean": [_finite(row.mean()) for row in every],
        "fell": [_finite((after <= before).double().mean()) for before, after in _pairs(every)],
        **way,
        "floor": bench.score(kept, "test", brief=True)["frechet"],
        "sheet": pack(sheet),
    }


def _descent(
    model: StudyModel, bench: Bench, setting: Setting, seed: int
) -> dict[str, list[float | None]]:
    """The energy of what the arm expects of test images, after each forward call."""
    count, own = bench.config.measurement.energy_samples, derive(seed, _STREAMS["descent"])
    real, labels, parts = bench.real("test", count).images, bench.labels("test", count), []
    for index in torch.arange(count).split(100):
        parts.append(descent(model.guess, real[index], labels[index], setting, Noise(own, index)))
    whole = Descent(
        torch.cat([part.error for part in parts], 1),
        torch.cat([part.variance for part in parts], 1),
    )
    return {
        "error": [_finite(each) for each in whole.error.mean(1)],
        "decrease": [_finite(each) for each in whole.decrease],
        "decrease_error": [_finite(each) for each in whole.standard_error],
    }


def _kept(model: StudyModel, bench: Bench, setting: Setting, seed: int) -> Tensor:
    """Test images as they are after all calls of the forward process."""
    count, own = bench.config.measurement.samples, derive(seed, _STREAMS["descent"])
    real, labels, parts = bench.real("test", count).images, bench.labels("test", count), []
    for index in torch.arange(count).split(500):
        noise, step = Noise(own, index), setting.calls
        parts.append(model.guess(real[index], labels[index], step, setting, noise, noise.fork(1)))
    return torch.cat(parts)


def measure_floor(bench: Bench) -> dict[str, object]:
    """Scores of training images in place of samples, and of test images themselves."""
    count = bench.config.measurement.samples
    images, labels = bench.train.images, bench.train.labels
    assert labels is not None
    energy = Energy.fit(bench)
    few = bench.real("test", bench.config.measurement.energy_samples)
    assert few.labels is not None
    test = bench.score(bench.real("test", count).images, "test", brief=True)
    turns = torch.arange(SHEET) % bench.classes
    known = bench.labels("test", len(bench.test))
    places = [_place(known, int(c), n // bench.classes) for n, c in enumerate(turns)]
    return {
        **bench.score(images[:count], "test"),
        "accuracy": test["accuracy"],
        "energy": _finite(energy(bench, few.images, few.labels).mean()),
        "images": count,
        "judge": bench.judge.digest,
        "sheet": pack(bench.test.images[places]),
    }


def pack(images: Tensor) -> dict[str, object]:
    """Images (n, 1, h, w) as a JSON value: bytes of grey, compressed, in base 64."""
    grey = (images[:, 0].nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8).contiguous()
    text = base64.b64encode(zlib.compress(grey.numpy().tobytes(), 9)).decode("ascii")
    return {"shape": list(grey.shape), "grey": text}


def _pairs(rows: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(rows[:-1], rows[1:], strict=True))


def _place(labels: Tensor, label: int, number: int) -> int:
    """Place of the n-th image of a class; of the last, if there are fewer."""
    places = (labels == label).nonzero()[:, 0]
    return int(places[min(number, len(places) - 1)])


def _finite(value: Tensor) -> float | None:
    return float(value) if math.isfinite(float(value)) else None
