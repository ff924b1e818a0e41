"""Measurement of property-conditioned sampling: how near samples come to the request."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graphs.datasets.load import load_splits
from graphs.model import GraphModel
from refine_core.app.progress import Say, silent
from refine_core.app.report import table, write_report
from refine_core.errors import InputError
from refine_core.storage.files import finite, write_json

Row = dict[str, str | float]
QUANTILES = (0.1, 0.5, 0.9)


def measure_properties(
    model: GraphModel,
    out: Path,
    *,
    targets: Sequence[tuple[str, float]] = (),
    guidance: Sequence[float] = (0.0, 1.0, 2.0),
    count: int = 1000,
    seed: int = 0,
    say: Say = silent,
) -> list[Row]:
    """Measure how far the properties of samples, as RDKit computes them, are from the request.

    Args:
        model: Conditioned on properties.
        out: Folder for properties.json and PROPERTIES.md.
        targets: Requests, one at a time; by default, of each property that RDKit computes, the
            10, 50 and 90 % quantiles of the training molecules.
        guidance: Weights to try.
        count: Molecules per request and weight.
        seed: Seed of the samples.
        say: Receives a line about each stage.

    Returns:
        A row per request and setting, "unguided" being samples without a request: mean absolute
        error and mean of the property, shares of valid and of unique molecules.

    Raises:
        InputError: The model has no property that RDKit computes, or does not know one.
    """
    from graphs.chem.properties import PROPERTIES

    names = [name for name in model.properties.names if name in PROPERTIES]
    if not names:
        known = ", ".join(model.properties.names) or "nothing"
        raise InputError(f"The model is conditioned on {known}, of which RDKit computes none.")
    for name, _ in targets:
        if name not in names:
            raise InputError(f"RDKit does not compute {name!r}: ask for {', '.join(names)}.")
    targets = targets or _quantiles(model, names)
    say("sampling without a request")
    unguided = model.smiles(model.sample(count, seed=seed))
    rows: list[Row] = []
    for name, value in targets:
        rows.append(_row(name, value, "unguided", unguided))
        for weight in guidance:
            say(f"asking for {name}={value:g} with guidance {weight:g}")
            graphs = model.sample(count, seed=seed, where={name: value}, guidance=weight)
            rows.append(_row(name, value, f"guidance {weight:g}", model.smiles(graphs)))
    write_json(out / "properties.json", finite({"count": count, "seed": seed, "rows": rows}))
    write_report(out / "PROPERTIES.md", table(rows[0], rows))
    return rows


def _quantiles(model: GraphModel, names: Sequence[str]) -> list[tuple[str, float]]:
    store = load_splits(model.config.data, seed=model.config.seed).train
    return [
        (name, round(float(np.nanquantile(store.properties[name], share)), 2))
        for name in names
        for share in QUANTILES
    ]


def _row(name: str, value: float, sampling: str, smiles: Sequence[str | None]) -> Row:
    from graphs.chem.properties import property_values

    found = [text for text in smiles if text is not None]
    values = property_values(found, [name])[name]
    return {
        "property": name,
        "target": value,
        "sampling": sampling,
        "mae": float(np.abs(values - value).mean()) if found else math.nan,
        "mean": float(values.mean()) if found else math.nan,
        "valid": len(found) / len(smiles),
        "unique": len(set(found)) / max(1, len(found)),
    }
