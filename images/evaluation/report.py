"""Evaluation of a trained model on the test set: every score beside a value to compare it with."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from images.code_metrics import code_bits, tokenizer_metrics, usage
from images.config import SamplingConfig
from images.data.load import Images
from images.evaluation.classifier import Evaluation, Evaluator, load_evaluator
from images.evaluation.html_report import evaluation_page
from images.evaluation.metrics import class_accuracy, diversity, frechet, psnr
from images.evaluation.neighbours import NEIGHBOURS, Memorisation, memorisation, neighbourhoods
from images.evaluation.plots import plot_filmstrip, plot_grid, plot_samples, plot_usage
from images.model import ImageModel
from refine_core.app.html import write_page
from refine_core.app.progress import Say, silent
from refine_core.app.report import Column, table, write_report
from refine_core.config.schema import to_dict
from refine_core.errors import InputError
from refine_core.storage.files import write_json

Scores = Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """What `evaluate` measured on equal numbers of samples, test and training images.

    Args:
        images: That number.
        seed: Seed of the samples.
        evaluator: SHA-256 of the classifier that gave features and classes.
        test_accuracy: Its accuracy on the test images.
        tokenizer: Scores of reconstructed test images, and the usage of the codes.
        floor: Scores of training images in place of samples: about the best a model can reach.
        generator: Scores of samples, `test_bits` and `seconds_per_image`.
        accuracy: Share of samples recognised as their class; None where a model has no classes.
        diversity: Diversity of each class, see `metrics.diversity`.
        memorisation: Distances to training images.
        network_calls: Calls of the transformer per sample.
        threads: Threads used while sampling.
        sampling: How the model samples.
    """

    images: int
    seed: int
    evaluator: str
    test_accuracy: float
    tokenizer: Scores
    floor: Scores
    generator: Scores
    accuracy: float | None
    diversity: list[float]
    memorisation: Memorisation
    network_calls: int
    threads: int
    sampling: SamplingConfig

    def to_json(self) -> dict[str, object]:
        """The content of metrics.json."""
        copied = self.memorisation
        return {
            "images": self.images,
            "evaluator": {"sha256": self.evaluator, "test_accuracy": self.test_accuracy},
            "tokenizer": dict(self.tokenizer),
            "floor": dict(self.floor),
            "generator": {
                **self.generator,
                "accuracy": self.accuracy,
                "diversity": self.diversity,
                "threads": self.threads,
                "network_calls": self.network_calls,
            },
            "memorisation": {
                "copies": copied.copies,
                "close": copied.close,
                "closer": copied.closer,
                "median": copied.median,
            },
            "sampling": to_dict(self.sampling),
            "seed": self.seed,
        }


def evaluate(
    model: ImageModel,
    images: Images,
    out: Path | None = None,
    *,
    samples: int = 10_000,
    seed: int = 0,
    judge: Evaluator | None = None,
    say: Say = silent,
) -> Report:
    """Measure a model; with `out`, write metrics.json, REPORT.md, report.html and figures there.

    Distances are Frechet distances between equal numbers of images in the features of a frozen
    classifier, from the test set. The floor is that of as many training images.

    Args:
        model: The model to measure.
        images: Labelled images. Training images are used for the floor and the memorisation only.
        out: Folder for the report.
        samples: Count of samples; at most as many as there are test images are used.
        seed: Seed of the samples.
        judge: The classifier; by default the shipped one, for MNIST.
        say: Receives a line about each stage.

    Raises:
        InputError: Images, model and classifier differ in shape or classes, there are no labels,
            or fewer than six images are to be compared.
    """
    judge = judge or load_evaluator()
    labels = judge.checked_labels(images.test)
    count = min(samples, len(images.test), len(images.train))
    _check(model, images, count)
    test, labels = images.test.images[:count], labels[:count]
    real = judge.evaluate(test)
    say(f"reconstructing {count} test images")
    tokenizer = _tokenizer_scores(model, images, judge, real)
    say(f"sampling {count} images")
    started = time.perf_counter()
    given = labels if model.classes else None
    sampled = model.sample(count, seed=seed, labels=given, workers=1)
    seconds = time.perf_counter() - started
    made, floor = (judge.evaluate(x) for x in (sampled, images.train.images[:count]))
    classes = labels if model.classes else made.logits.argmax(1)
    test_labels = images.test.labels if model.classes else None
    say("looking for copies of training images")
    report = Report(
        images=count,
        seed=seed,
        evaluator=judge.digest,
        test_accuracy=class_accuracy(real.logits, labels),
        tokenizer=tokenizer,
        floor=_sample_scores(floor, real),
        generator={
            **_sample_scores(made, real),
            "test_bits": code_bits(model.refiner, images.test.images, test_labels),
            "seconds_per_image": seconds / count,
        },
        accuracy=class_accuracy(made.logits, labels) if model.classes else None,
        diversity=diversity(made.features, classes, real.features, labels).tolist(),
        memorisation=memorisation(sampled, images.train.images, test),
        network_calls=len(model.schedule),
        threads=torch.get_num_threads(),
        sampling=model.config.sampling,
    )
    if out is not None:
        write_json(out / "metrics.json", report.to_json())
        write_report(out / "REPORT.md", markdown(report))
        _plot(model, images, sampled, report.memorisation.nearest, out)
        page = evaluation_page(report, markdown(report), _usage_table(report), model, out)
        write_page(out / "report.html", page)
    return report


def markdown(report: Report) -> str:
    """The report as a table: each score, and what to compare it with."""
    head = f"{report.images} images, seed {report.seed}, evaluator {report.evaluator[:12]}."
    rows = [*_tokenizer_rows(report), *_sample_rows(report)]
    return f"{head}\n\n{table(['quantity', 'measured', 'to compare'], rows)}\n"


def _tokenizer_rows(report: Report) -> list[tuple[str, str, str]]:
    scores, floor = report.tokenizer, report.floor["frechet"]
    return [
        ("tokeniser: test MSE", f"{scores['test_mse']:.5f}", f"PSNR {scores['psnr']:.1f} dB"),
        *(
            (
                f"tokeniser: codes used, scale {k + 1}",
                f"{scores[f'usage_{k}']:.1%}",
                f"perplexity {scores[f'perplexity_{k}']:.0f}",
            )
            for k in range(report.network_calls)
        ),
        (
            "tokeniser: Frechet distance",
            f"{scores['frechet']:.3f}",
            f"train against test {floor:.3f}",
        ),
        (
            "tokeniser: class accuracy",
            f"{scores['accuracy']:.2%}",
            f"test images {report.test_accuracy:.2%}",
        ),
    ]


def _usage_table(report: Report) -> str:
    columns: list[Column | str] = [
        "scale",
        Column("codes used", form=".1%"),
        Column("perplexity", form=".0f"),
    ]
    rows = [
        (k + 1, report.tokenizer[f"usage_{k}"], report.tokenizer[f"perplexity_{k}"])
        for k in range(report.network_calls)
    ]
    return table(columns, rows)


def _sample_rows(report: Report) -> list[tuple[str, str, str]]:
    scores, floor, copied = report.generator, report.floor, report.memorisation
    ratio = scores["frechet"] / report.tokenizer["frechet"]
    varied = f"{min(report.diversity):.2f} to {max(report.diversity):.2f}"
    return [
        ("samples: Frechet distance", f"{scores['frechet']:.3f}", f"{ratio:.2f}x the tokeniser's"),
        (
            "samples: class accuracy",
            "no classes" if report.accuracy is None else f"{report.accuracy:.2%}",
            f"test images {report.test_accuracy:.2%}",
        ),
        *(
            (f"samples: {name}", f"{scores[name]:.3f}", f"training images {floor[name]:.3f}")
            for name in ("precision", "recall", "density", "coverage")
        ),
        ("samples: variance within a class", varied, "test images 1"),
        (
            "negative log-likelihood of test codes",
            f"{scores['test_bits']:.1f} bits",
            "per image",
        ),
        ("copies of training images", f"{copied.copies:.2%}", ""),
        ("closer to one than 99 % of test images", f"{copied.close:.2%}", "test images 1 %"),
        ("P(closer to one than a test image is)", f"{copied.closer:.3f}", "test images .5"),
        (
            "sampling",
            f"{1000 * scores['seconds_per_image']:.2f} ms an image",
            f"{report.threads} threads, {report.network_calls} network calls",
        ),
    ]


def _check(model: ImageModel, images: Images, count: int) -> None:
    """Refuse what could not be measured, before anything is sampled."""
    model.check_data(images)
    if count <= NEIGHBOURS:
        raise InputError(
            f"Found {count} images to compare, expected {NEIGHBOURS + 1} or more: ask for more "
            "samples, or give more images."
        )


def _tokenizer_scores(
    model: ImageModel, images: Images, judge: Evaluator, real: Evaluation
) -> Scores:
    """Scores of the first test images, reconstructed, and code usage over all of them."""
    assert images.test.labels is not None
    count = len(real.features)
    test, labels = images.test.images[:count], images.test.labels[:count]
    reconstructed = model.reconstruct(test)
    copy = judge.evaluate(reconstructed)
    return {
        **tokenizer_metrics(model.tokenizer, images.test.images),
        "psnr": psnr(reconstructed, test),
        "frechet": frechet(real.features, copy.features),
        "accuracy": class_accuracy(copy.logits, labels),
    }


def _sample_scores(made: Evaluation, real: Evaluation) -> Scores:
    """Frechet distance and neighbourhoods of images compared with test images."""
    near = neighbourhoods(real.features, made.features)
    return {"frechet": frechet(real.features, made.features), **asdict(near)}


def _plot(model: ImageModel, images: Images, sampled: Tensor, nearest: Tensor, out: Path) -> None:
    plot_samples(model, out / "samples.png")
    plot_filmstrip(model, out / "filmstrip.png")
    names = [scale.name for scale in model.schedule]
    plot_usage(usage(model.tokenizer, images.test.images), names, out / "usage.png")
    test = images.test.images[:10]
    rows = [test, model.reconstruct(test), sampled[:10], images.train.images[nearest[:10]]]
    labels = ["test image", "its reconstruction", "sample", "nearest training image"]
    title = "reconstruction and memorisation"
    plot_grid(torch.cat(rows), out / "comparison.png", 10, title, labels)
