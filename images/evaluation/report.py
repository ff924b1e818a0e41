"""Evaluation of a trained model on the test set: every number beside its floor."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from images.code_metrics import code_bits, tokenizer_metrics, usage
from images.data.load import Images
from images.evaluation import classifier as evaluator
from images.evaluation.metrics import class_accuracy, diversity, frechet, psnr
from images.evaluation.neighbours import memorisation, neighbourhoods
from images.evaluation.plots import save_filmstrip, save_grid, save_samples, save_usage
from images.model import ImageModel
from refine_core.errors import InputError
from refine_core.storage.files import write_json, write_text

Report = dict[str, Any]


def evaluate(
    model: ImageModel,
    images: Images,
    out: Path | None = None,
    *,
    samples: int = 10_000,
    seed: int = 0,
    judge: evaluator.Evaluator | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure a model; with `out`, write metrics.json, REPORT.md and pictures there.

    Distances are Frechet distances between equal numbers of images in the features of a frozen
    classifier, against the test set. The floor is that of as many training images.

    Args:
        model: To be judged.
        images: Their training part serves the floor and the memorisation check only.
        out: Folder for the report.
        samples: Images to draw; at most as many as test images are compared with.
        seed: Of the samples.
        judge: The evaluator; by default the shipped one, for MNIST.
        say: Receives a line about each stage.

    Raises:
        InputError: If images and model differ in shape, or there are no labels to judge by.
    """
    if images.shape != model.shape:
        raise InputError(
            f"The model makes images of shape {model.shape}, the data has {images.shape}."
        )
    judge = judge or evaluator.load()
    count = min(samples, len(images.test), len(images.train))
    test, labels = images.test.images[:count], _labels(images, count)
    train = images.train.images[:count]
    say(f"reconstructing {count} test images")
    reconstructed = model.reconstruct(test)
    say(f"drawing {count} samples")
    asked = labels if model.classes else None
    started = time.perf_counter()
    drawn = model.sample(count, seed=seed, labels=asked)
    seconds = time.perf_counter() - started
    say("comparing features")
    real, floor, copies, made = (judge.evaluate(x) for x in (test, train, reconstructed, drawn))
    recognised = made.logits.argmax(1)
    ours, theirs = (neighbourhoods(real.features, x.features) for x in (made, floor))
    say("looking for copies of training images")
    copied = memorisation(drawn, images.train.images, test)
    report: Report = {
        "images": count,
        "evaluator": {
            "sha256": judge.digest,
            "test_accuracy": class_accuracy(real.logits, labels),
        },
        "tokenizer": {
            **tokenizer_metrics(model.tokenizer, images.test.images),
            "psnr": psnr(reconstructed, test),
            "frechet": frechet(real.features, copies.features),
            "accuracy": class_accuracy(copies.logits, labels),
        },
        "floor": {"frechet": frechet(real.features, floor.features), **asdict(theirs)},
        "generator": {
            "frechet": frechet(real.features, made.features),
            "accuracy": class_accuracy(made.logits, labels) if model.classes else None,
            **asdict(ours),
            "diversity": diversity(
                made.features, labels if model.classes else recognised, real.features, labels
            ).tolist(),
            "test_bits": code_bits(
                model.refiner, images.test.images, images.test.labels if model.classes else None
            ),
            "seconds_per_image": seconds / count,
            "threads": torch.get_num_threads(),
            "network_calls": len(model.schedule),
        },
        "memorisation": {k: v for k, v in asdict(copied).items() if k != "nearest"},
        "sampling": asdict(model.config.sampling),
        "seed": seed,
    }
    if out is not None:
        write_json(out / "metrics.json", report)
        write_text(out / "REPORT.md", markdown(report))
        _pictures(model, images, drawn, copied.nearest, out)
    return report


def markdown(report: Report) -> str:
    """The report as a table: measured, and what to compare it with."""
    tokens, made, floor = report["tokenizer"], report["generator"], report["floor"]
    copied, scales = report["memorisation"], range(report["generator"]["network_calls"])
    known = f"test images {report['evaluator']['test_accuracy']:.2%}"
    accuracy = "no classes" if made["accuracy"] is None else f"{made['accuracy']:.2%}"
    distance, mine, least = tokens["frechet"], made["frechet"], floor["frechet"]
    varied = f"{min(made['diversity']):.2f} to {max(made['diversity']):.2f}"
    speed = f"{1000 * made['seconds_per_image']:.2f} ms an image"
    how = f"{made['threads']} threads, {len(scales)} network calls"
    rows = [
        ("tokeniser: test MSE", f"{tokens['test_mse']:.5f}", f"PSNR {tokens['psnr']:.1f} dB"),
        *(
            (
                f"tokeniser: codes used, scale {k + 1}",
                f"{tokens[f'usage_{k}']:.1%}",
                f"perplexity {tokens[f'perplexity_{k}']:.0f}",
            )
            for k in scales
        ),
        ("tokeniser: Frechet distance", f"{distance:.3f}", f"train against test {least:.3f}"),
        ("tokeniser: class accuracy", f"{tokens['accuracy']:.2%}", known),
        ("samples: Frechet distance", f"{mine:.3f}", f"{mine / distance:.2f}x the tokeniser's"),
        ("samples: class accuracy", accuracy, known),
        *(
            (f"samples: {name}", f"{made[name]:.3f}", f"training images {floor[name]:.3f}")
            for name in ("precision", "recall", "density", "coverage")
        ),
        ("samples: variance within a class", varied, "test images 1"),
        ("negative log-likelihood of test codes", f"{made['test_bits']:.1f} bits", "per image"),
        ("copies of training images", f"{copied['copies']:.2%}", ""),
        ("closer to one than 99 % of test images", f"{copied['close']:.2%}", "test images 1 %"),
        ("P(closer to one than a test image is)", f"{copied['closer']:.3f}", "test images .5"),
        ("sampling", speed, how),
    ]
    lines = [f"| {a} | {b} | {c} |" for a, b, c in rows]
    judge = report["evaluator"]["sha256"][:12]
    head = f"{report['images']} images, seed {report['seed']}, evaluator {judge}."
    return "\n".join(
        [head, "", "| quantity | measured | to compare |", "|---|---|---|", *lines, ""]
    )


def _labels(images: Images, count: int) -> Tensor:
    if images.test.labels is None:
        raise InputError(
            "The data has no labels, and the evaluator judges by class: give labelled images."
        )
    return images.test.labels[:count]


def _pictures(
    model: ImageModel, images: Images, drawn: Tensor, nearest: Tensor, out: Path
) -> None:
    save_samples(model, out / "samples.png")
    save_filmstrip(model, out / "filmstrip.png")
    names = [scale.name for scale in model.schedule]
    save_usage(usage(model.tokenizer, images.test.images), names, out / "usage.png")
    test = images.test.images[:10]
    rows = [test, model.reconstruct(test), drawn[:10], images.train.images[nearest[:10]]]
    labels = ["test image", "its reconstruction", "sample", "nearest training image"]
    save_grid(
        torch.cat(rows), out / "comparison.png", 10, "reconstruction and memorisation", labels
    )
