"""Measurement of scaffold extension: validity, variety and time."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from graphs.evaluation.properties import Row
from graphs.model import GraphModel
from refine_core.app.progress import Say, silent
from refine_core.app.report import table, write_report
from refine_core.errors import InputError
from refine_core.storage.files import finite, write_json


def measure_scaffolds(
    model: GraphModel,
    out: Path,
    scaffolds: Sequence[str],
    *,
    particles: Sequence[int] = (1, 8),
    count: int = 200,
    seed: int = 0,
    say: Say = silent,
) -> list[Row]:
    """Measure the validity, variety and time of sampling extensions of scaffolds.

    Args:
        model: Model of molecules.
        out: Folder for scaffolds.json and SCAFFOLDS.md.
        scaffolds: SMILES.
        particles: Numbers of particles to try, see `graphs.generators.scaffold.sampler`.
        count: Molecules per scaffold and count of particles.
        seed: Seed of the samples.
        say: Receives a line about each stage.

    Returns:
        A row per scaffold and number of particles: shares of valid molecules, of unique ones, and
        of valid ones in which RDKit finds the scaffold; their mean count of heavy atoms;
        processor time in ms per graph.

    Raises:
        InputError: There is no scaffold, or no number of particles.
    """
    from graphs.chem.properties import property_values
    from graphs.chem.substructure import contain

    if not scaffolds or not particles:
        raise InputError(
            f"Found {len(scaffolds)} scaffolds and {len(particles)} numbers of particles: give "
            "one or more of each."
        )
    rows: list[Row] = []
    for scaffold in scaffolds:
        for each in particles:
            say(f"extending {scaffold} with {each} particles")
            started = time.process_time()
            graphs = model.sample(count, seed=seed, scaffold=scaffold, particles=each, workers=1)
            seconds = time.process_time() - started
            found = [text for text in model.smiles(graphs) if text is not None]
            atoms = property_values(found, ["atoms"])["atoms"]
            rows.append(
                {
                    "scaffold": scaffold,
                    "particles": each,
                    "valid": len(found) / count,
                    "unique": len(set(found)) / max(1, len(found)),
                    "contain": sum(contain(found, scaffold)) / max(1, len(found)),
                    "mean_atoms": float(atoms.mean()) if found else math.nan,
                    "cpu_ms": 1000 * seconds / count,
                }
            )
    settings = {"count": count, "seed": seed, "threads": torch.get_num_threads()}
    write_json(out / "scaffolds.json", finite(settings | {"rows": rows}))
    write_report(out / "SCAFFOLDS.md", table(rows[0], rows))
    return rows
