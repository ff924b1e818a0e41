"""Giving a trained model of graphs its residual energy."""

from copy import deepcopy
from dataclasses import replace

import torch

from graphs.data.convert_networkx import to_networkx
from graphs.datasets.load import load_splits
from graphs.datasets.splits import Splits
from graphs.energy import LEAST, Things, fit
from graphs.model import GraphModel
from refine_core.app.processes.workers import Workers
from refine_core.app.progress import Say, silent
from refine_core.errors import InputError
from refine_core.noise import derive

STREAM = 7
"""Names the samples that an energy is fitted to."""
DRAWS = 2000
"""Samples that few training graphs are told from."""


def with_energy(
    model: GraphModel,
    count: int = 100_000,
    *,
    seed: int = 0,
    parts: Splits | None = None,
    workers: Workers = "auto",
    say: Say = silent,
    quiet: bool = True,
) -> GraphModel:
    """The model with an energy that is fitted to its samples and its training graphs.

    Args:
        model: An energy that it has is replaced.
        count: Samples and training graphs, at most: where these are fewer, there are no more
            samples than they, or `DRAWS`.
        seed: Seed of the samples, and of which training graphs are taken.
        parts: The model's data; by default they are read as its config says.
        workers: Processes that share the drawing.
        say: Receives a line about each stage.
        quiet: Whether to show no progress.

    Raises:
        InputError: Its data have changed or cannot be read, or graphs are too few.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import graphs
    >>> from refine_core import Optimisation
    >>> mine = ["C" * length + end for length in range(1, 9) for end in ("C", "N", "O", "F")] * 5
    >>> opt = Optimisation(epochs=1, batch=32)
    >>> network = graphs.ContractionConfig(dim=16, depth=1, training=opt)
    >>> config = graphs.GraphsConfig(name="chains", model=network)
    >>> with TemporaryDirectory() as runs:
    ...     model = graphs.train(config, Path(runs), smiles=mine, quiet=True)
    ...     better = graphs.with_energy(model, count=100, workers=1)
    >>> model.energy is None, len(better.energy(["CCO", "CCN"]))
    (True, 2)
    """
    _check_count(count)
    if parts is None:
        parts = load_splits(model.config.data, seed=model.config.seed, quiet=quiet)
    model.check_data(parts)
    _check_count(len(parts.train))
    order = torch.randperm(len(parts.train), generator=torch.Generator().manual_seed(seed))
    order, count = order[:count], min(count, max(len(parts.train), DRAWS))
    say(f"drawing {count} graphs")
    own = derive(seed, STREAM)
    drawn = model.sample(count, seed=own, particles=1, workers=workers, quiet=quiet)
    data: Things
    valid: Things
    if model.is_molecular:
        valid = [text for text in model.smiles(drawn) if text is not None]
        data = parts.train.text(order)
    else:
        valid = to_networkx(drawn, model.vocabulary)
        data = to_networkx(parts.train[order][0], model.vocabulary)
    say(f"telling {len(valid)} of them from data")
    draws = model.config.sampling.particles
    found = fit(data, valid, draws, say)
    say(f"penalty {found.penalty:g}, {found.nats:.3f} nats gained with {draws:g} draws")
    refiner = deepcopy(model.refiner)
    refiner.add_module("energy", found.energy.to(model.device))
    return replace(model, refiner=refiner, config=replace(model.config, energy=count))


def is_enough(count: int, say: Say = silent) -> bool:
    """Whether so many training graphs suffice for an energy; if not, that is said."""
    if count < LEAST:
        say(f"no residual energy, for {count} training graphs are too few: it takes {LEAST}")
    return count >= LEAST


def _check_count(count: int) -> None:
    if not is_enough(count):
        raise InputError(
            f"Found {count} graphs for a residual energy, which takes {LEAST}: give "
            "more, or do without."
        )
