"""report.html of an evaluation: the scores, and samples from coarse to fine."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from images.evaluation.plots import tiled
from images.model import ImageModel
from refine_core.app.html import (
    Figure,
    Frame,
    KeyFigure,
    Page,
    Section,
    Slider,
    Text,
)

if TYPE_CHECKING:
    from images.evaluation.report import Report

SAMPLES, COLUMNS = 40, 10
"""Images in the slider, and in a row of it."""


def evaluation_page(
    report: "Report", table: str, usage: str, model: ImageModel, out: Path
) -> Page:
    """A page on a model of images.

    Args:
        report: What was measured.
        table: It, in Markdown.
        usage: How many codes are used, in Markdown.
        model: The model, which samples images for the slider.
        out: Folder of the pictures.
    """
    return Page(
        title="Samples of a model of images",
        kind="refine images evaluate",
        verdict=_verdict(report),
        figures=_key_figures(report),
        sections=[
            Section("Coarse to fine", [coarse_to_fine(model, report.seed)]),
            Section("Scores", [Text(table)]),
            Section(
                "Samples, reconstructions and codes",
                [
                    Figure(out / "samples.png", "Samples, a row a class"),
                    Figure(
                        out / "comparison.png",
                        "Test images, their reconstructions, samples, and the training image that "
                        "each sample is nearest to",
                    ),
                    Figure(
                        out / "usage.png",
                        "How often each code is used, the most used first, by scale",
                        table=usage,
                    ),
                ],
            ),
        ],
    )


def coarse_to_fine(model: ImageModel, seed: int) -> Slider:
    """The same samples after each call of the network."""
    steps = model.sample_steps(SAMPLES, seed=seed)
    names = [
        f"{k} of {len(steps)}, scale {scale.name}" for k, scale in enumerate(model.schedule, 1)
    ]
    frames: dict[tuple[str, ...], Frame] = {}
    for k, (name, images) in enumerate(zip(names, steps, strict=True), 1):
        grey = tiled(images.clamp(0, 1), COLUMNS).mul(255).round().byte()
        shown = grey.movedim(0, -1).numpy()
        buffer = io.BytesIO()
        Image.fromarray(shown if shown.shape[2] == 3 else shown[:, :, 0]).save(buffer, "PNG")
        calls = f"{k} call" + "s" * (k > 1)
        frames[(name,)] = Frame(buffer.getvalue(), f"{SAMPLES} samples after {calls}")
    return Slider({"network call": names}, frames, pixels=True)


def _verdict(report: "Report") -> str:
    samples, floor = report.generator["frechet"], report.floor["frechet"]
    text = (
        f"The Frechet distance of {report.images:,} samples to test images is **{samples:.3g}**, "
        f"that of the tokeniser's reconstructions {report.tokenizer['frechet']:.3g}, that of as "
        f"many training images {floor:.3g}."
    )
    if report.accuracy is None:
        return text
    return (
        f"{text} A classifier sees **{report.accuracy:.1%}** of the samples as their class, and "
        f"{report.test_accuracy:.1%} of the test images."
    )


def _key_figures(report: "Report") -> list[KeyFigure]:
    scores, count = report.generator, report.images
    figures = [
        KeyFigure(
            "Frechet distance",
            f"{scores['frechet']:.3g}",
            beside=f"training images {report.floor['frechet']:.3g}",
        )
    ]
    if report.accuracy is not None:
        beside = f"test images {100 * report.test_accuracy:.1f} %"
        figures.append(KeyFigure.share("of their class", report.accuracy, count, beside))
    for name in ("precision", "recall"):
        beside = f"training images {100 * report.floor[name]:.1f} %"
        figures.append(KeyFigure.share(name, scores[name], count, beside))
    copies = report.memorisation.copies
    return [
        *figures,
        KeyFigure.share("copies of training images", copies, count),
        KeyFigure(
            "time for an image",
            f"{1000 * scores['seconds_per_image']:.3g} ms",
            beside=f"{report.network_calls} network calls, threads: {report.threads}",
        ),
    ]
