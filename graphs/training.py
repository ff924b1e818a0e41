"""Training a generator of graphs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from graphs.config import GraphsConfig
from graphs.data.store import GraphStore
from graphs.datasets.load import load_splits
from graphs.datasets.properties import Properties, WithProperties
from graphs.datasets.splits import Splits
from graphs.energy_training import is_enough, with_energy
from graphs.finetune import start_from
from graphs.generators.common.kind import Names
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.kinds import kind_of
from graphs.model import GraphModel
from refine_core.app.progress import say, silent
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.storage.files import write_text
from refine_core.training.stages import Stages

VALIDATED = 512
"""Validation graphs, and of molecules samples, that are measured after each epoch."""
VALIDATED_NODES = 9 * VALIDATED  # fewer graphs if these are large


def train(
    config: GraphsConfig,
    runs: Path = Path("runs"),
    *,
    store: GraphStore | None = None,
    smiles: Sequence[str] | None = None,
    seconds: float | None = None,
    quiet: bool = False,
) -> GraphModel:
    """Train a model; continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the result is `model.safetensors` there.

    Args:
        config: Config of data, model and training.
        runs: Folder of runs.
        store: Graphs in place of `config.data.source`, as from
            `graphs.data.convert_networkx.from_networkx`.
        smiles: Molecules in place of `config.data.source`; they go to `molecules.smi` in the run's
            folder, and are read from there.
        seconds: About how long to train, reading apart, in place of
            `config.model.training.epochs`; see `refine_core.training.stages.Stages`.
        quiet: Whether to show nothing.

    Raises:
        InputError: The data cannot be used, see `graphs.datasets.load.load_splits`, or the
            generator takes no such graphs, there are both a `store` and `smiles`, or `smiles` is a
            single text.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import networkx as nx
    >>> import graphs
    >>> from refine_core import Optimisation
    >>> store = graphs.from_networkx([nx.cycle_graph(n) for n in (3, 4, 5)] * 8)
    >>> opt = Optimisation(epochs=1, batch=4)
    >>> network = graphs.ContractionConfig(dim=16, depth=1, training=opt)
    >>> config = graphs.GraphsConfig(name="rings", model=network)
    >>> with TemporaryDirectory() as runs:
    ...     model = graphs.train(config, Path(runs), store=store, quiet=True)
    ...     again = graphs.load(Path(runs, "rings"))
    >>> len(again.sample(2))
    2
    """
    run = runs / config.name
    if smiles is not None:
        if isinstance(smiles, str):
            raise InputError(
                f"Found the text {smiles[:40]!r} as `smiles`, expected a list of SMILES: give "
                "[...] of several, or their file as `config.data.source`."
            )
        if store is not None:
            raise InputError("Found a store and SMILES to learn from: give one of them.")
        path, text = run / "molecules.smi", "".join(f"{each}\n" for each in smiles)
        known = path.read_text(encoding="utf-8") if path.exists() else None
        if text != known and (run / "run.json").exists():
            raise InputError(
                f"{run} holds a run on other molecules: choose another name, or delete the folder."
            )
        write_text(path, text)
        data = replace(config.data, source=str(path))
        config = replace(config, data=data)
    start = _Start.of(config, run, store, seconds, quiet)
    refiner = start.stages.train(
        start.refiner,
        start.train,
        config.model.training,
        stream=2,
        config=config,
        validate=start.validate,
        validations=config.validations,
        title="graphs",
    )
    result = start.model(refiner)
    result.save(run / "model.safetensors")
    if config.energy and is_enough(len(start.parts.train), say=silent if quiet else say):
        result = with_energy(
            result, config.energy, seed=config.seed, parts=start.parts, quiet=quiet
        )
        result.save(run / "model.safetensors")
    return result


@dataclass(frozen=True)
class _Start:
    """What a training begins with."""

    config: GraphsConfig
    stages: Stages
    parts: Splits
    train: WithProperties
    held_out: WithProperties
    statistics: GraphStatistics
    refiner: GraphRefiner

    @classmethod
    def of(
        cls,
        config: GraphsConfig,
        run: Path,
        store: GraphStore | None,
        seconds: float | None,
        quiet: bool,
    ) -> "_Start":
        """Read the data and build the network."""
        parts = load_splits(config.data, seed=config.seed, store=store, quiet=quiet)
        properties = Properties.of(parts.train, config.data.properties)
        statistics = GraphStatistics.of(parts.train)
        kind = kind_of(config.model)
        stages = Stages(run, config.seed, parts.train.digest(), quiet, seconds)
        with stages.seeded(1):
            refiner = kind.build(statistics, len(properties.names))
        if config.model.start_from is not None:
            names = Names(statistics.vocabulary, properties.names)
            start_from(refiner, kind, config.model.start_from, names)
        train, held_out = (
            WithProperties(part, properties) for part in (parts.train, parts.validation)
        )
        return cls(config, stages, parts, train, held_out, statistics, refiner)

    def model(self, refiner: GraphRefiner) -> GraphModel:
        """What a user holds, of a trained network."""
        return GraphModel(refiner, self.config, self.statistics, self.train.properties)

    def validate(self, refiner: GraphRefiner) -> dict[str, float]:
        """Metrics of a network in training."""
        return validation_metrics(self.model(refiner), self.held_out)


def validation_metrics(model: GraphModel, held_out: WithProperties) -> dict[str, float]:
    """Bits of held-out graphs, and of molecules the share of valid samples.

    Args:
        model: To measure.
        held_out: Validation graphs, of which some are used.

    Returns:
        "validation_bits" a graph, without properties; "conditional_bits" with them, if there are
        any; "validation_outside", the share of graphs that the model cannot draw, if not zero;
        "valid", and of these "unique", of molecules.
    """
    few = max(1, VALIDATED_NODES // int(held_out.store.sizes.float().mean().clamp(min=9)))
    index = torch.arange(min(few, len(held_out)))
    graphs, *context = held_out[index]
    device = model.device

    def nats(context: Tensor | None) -> Tensor:
        given = None if context is None else context.to(device)
        noise = Noise(0, index.to(device))
        return model.refiner.code_log_prob(graphs.to(device), given, noise).sum(1)

    def bits(nats: Tensor) -> float:
        return -float(nats[nats.isfinite()].mean()) / math.log(2)

    plain = nats(None)
    metrics = {"validation_bits": bits(plain)}
    if not bool(plain.isfinite().all()):
        metrics["validation_outside"] = float((~plain.isfinite()).float().mean())
    if context:
        metrics["conditional_bits"] = bits(nats(context[0]))
    if model.is_molecular:
        smiles = model.smiles(model.sample(VALIDATED))
        valid = [text for text in smiles if text is not None]
        metrics["valid"] = len(valid) / VALIDATED
        metrics["unique"] = len(set(valid)) / max(1, len(valid))
    return metrics
