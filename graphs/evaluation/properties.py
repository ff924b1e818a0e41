"""Measurement of sampling for wanted properties: how near samples come to the request."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphs.datasets.load import load_splits
from graphs.model import GraphModel
from refine_core.app.progress import Say, silent
from refine_core.app.report import table, write_report
from refine_core.errors import InputError
from refine_core.storage.files import finite, write_json

Row = dict[str, str | float]
QUANTILES = (0.1, 0.5, 0.9)
WANTED = ("logp", "qed", "sa", "weight", "tpsa")
"""Properties that a model is asked for which is not conditioned on any."""
PARTICLES = (8, 32)
"""Draws among which samples of such a model are chosen."""


def measure_properties(
    model: GraphModel,
    out: Path,
    *,
    targets: Sequence[tuple[str, float]] = (),
    guidance: Sequence[float] = (0.0, 1.0, 2.0),
    particles: Sequence[int] = (),
    count: int = 1000,
    seed: int = 0,
    say: Say = silent,
) -> list[Row]:
    """Measure how far the properties of samples, as RDKit computes them, are from the request.

    Args:
        model: Of molecules.
        out: Folder for properties.json and PROPERTIES.md.
        targets: Requests, one at a time; by default 10, 50 and 90 % quantiles of each property
            that RDKit computes: of the training molecules where the model is conditioned on
            some, and else of its samples.
        guidance: Weights to try, where the model is conditioned.
        particles: Numbers of draws to try of which `graphs.near` keeps one; by default 8 and 32
            where the model is not conditioned.
        count: Molecules per request and weight.
        seed: Seed of the samples.
        say: Receives a line about each stage.

    Returns:
        A row per request and setting, "unguided" being samples without a request: mean absolute
        error and mean of the property, the share within two widths of `graphs.near`, shares of
        valid and of unique molecules, processor time in ms per molecule.

    Raises:
        InputError: The model's graphs are not molecules, RDKit does not compute a property, or
            the model does not know one and there are no particles.
    """
    if not model.is_molecular:
        raise InputError("This model's graphs are not molecules, so they have no properties.")
    from graphs.chem.properties import PROPERTIES, near

    asked = [name for name in model.properties.names if name in PROPERTIES]
    names, particles = asked or WANTED, particles or (() if asked else PARTICLES)
    for name, _ in targets:
        if name not in PROPERTIES:
            known = ", ".join(PROPERTIES)
            raise InputError(f"RDKit does not compute {name!r}: ask for some of {known}.")
        if name not in asked and not particles:
            raise InputError(
                f"The model is conditioned on {', '.join(asked)}, not on {name}: give --particles "
                "to choose among draws."
            )
    say("sampling without a request")
    unguided = _timed(model, count, seed, {})
    targets = targets or _quantiles(model, names, None if asked else unguided[0])
    rows: list[Row] = []
    for name, value in targets:
        rows.append(_row(name, value, "unguided", unguided))
        for weight in guidance if name in asked else ():
            say(f"asking for {name}={value:g} with guidance {weight:g}")
            how: dict[str, Any] = {"where": {name: value}, "guidance": weight}
            rows.append(_row(name, value, f"guidance {weight:g}", _timed(model, count, seed, how)))
        for each in particles:
            say(f"choosing for {name}={value:g} among {each} draws")
            how = {"score": near({name: value}), "particles": each}
            rows.append(_row(name, value, f"{each} particles", _timed(model, count, seed, how)))
    write_json(out / "properties.json", finite({"count": count, "seed": seed, "rows": rows}))
    write_report(out / "PROPERTIES.md", table(rows[0], rows))
    return rows


def _timed(
    model: GraphModel, count: int, seed: int, how: dict[str, Any]
) -> tuple[list[str | None], float]:
    """SMILES of samples, and processor time in ms for each."""
    started = time.process_time()
    smiles = model.smiles(model.sample(count, seed=seed, workers=1, **how))
    return smiles, 1000 * (time.process_time() - started) / count


def _quantiles(
    model: GraphModel, names: Sequence[str], smiles: Sequence[str | None] | None
) -> list[tuple[str, float]]:
    """Quantiles of properties, of molecules or else of the training set."""
    from graphs.chem.properties import property_values

    if smiles is None:
        values = load_splits(model.config.data, seed=model.config.seed).train.properties
    else:
        values = property_values(smiles, names)
    return [
        (name, round(float(np.nanquantile(values[name], share)), 2))
        for name in names
        for share in QUANTILES
    ]


def _row(name: str, value: float, sampling: str, made: tuple[Sequence[str | None], float]) -> Row:
    from graphs.chem.properties import near, property_values

    smiles, milliseconds = made
    width = near({name: value}).width[name]
    found = [text for text in smiles if text is not None]
    values = property_values(found, [name])[name]
    return {
        "property": name,
        "target": value,
        "sampling": sampling,
        "mae": float(np.abs(values - value).mean()) if found else math.nan,
        "mean": float(values.mean()) if found else math.nan,
        "near": float((np.abs(values - value) <= 2 * width).mean()) if found else math.nan,
        "valid": len(found) / len(smiles),
        "unique": len(set(found)) / max(1, len(found)),
        "cpu_ms": milliseconds,
    }
