"""Training a generator of graphs."""

import math
from pathlib import Path

import torch
from torch import Tensor

from graphs.config import GraphsConfig
from graphs.data.store import GraphStore
from graphs.datasets.load import load_splits
from graphs.datasets.properties import Properties, WithProperties
from graphs.finetune import start_from
from graphs.generators.common.kind import Names
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.kinds import kind_of
from graphs.model import GraphModel
from refine_core.noise import Noise
from refine_core.training.stages import Stages

VALIDATED = 512
"""Validation graphs, and of molecules samples, that are measured after each epoch."""
VALIDATED_NODES = 9 * VALIDATED  # fewer graphs if these are large


def train(
    config: GraphsConfig,
    runs: Path = Path("runs"),
    *,
    store: GraphStore | None = None,
    quiet: bool = False,
) -> GraphModel:
    """Train a model; continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the result is `model.safetensors` there.

    Args:
        config: Config of data, model and training.
        runs: Folder of runs.
        store: Graphs in place of `config.data.source`, as from
            `graphs.data.convert_networkx.from_networkx`.
        quiet: Whether to show nothing.

    Raises:
        InputError: The data cannot be used, see `graphs.datasets.load.load_splits`, or the
            generator takes no such graphs.
    """
    parts = load_splits(config.data, seed=config.seed, store=store, quiet=quiet)
    properties = Properties.of(parts.train, config.data.properties)
    statistics = GraphStatistics.of(parts.train)
    kind, run = kind_of(config.model), runs / config.name
    stages = Stages(run, config.seed, parts.train.digest(), quiet)
    with stages.seeded(1):
        refiner = kind.build(statistics, len(properties.names))
    if config.model.start_from is not None:
        names = Names(statistics.vocabulary, properties.names)
        start_from(refiner, kind, config.model.start_from, names)
    held_out = WithProperties(parts.validation, properties)

    def validate(module: GraphRefiner) -> dict[str, float]:
        return validation_metrics(GraphModel(module, config, statistics, properties), held_out)

    refiner = stages.train(
        refiner,
        WithProperties(parts.train, properties),
        config.model.training,
        stream=2,
        config=config,
        validate=validate,
        title="graphs",
    )
    result = GraphModel(refiner, config, statistics, properties)
    result.save(run / "model.safetensors")
    return result


def validation_metrics(model: GraphModel, held_out: WithProperties) -> dict[str, float]:
    """Bits of held-out graphs, and of molecules the share of valid samples.

    Args:
        model: To measure.
        held_out: Validation graphs, of which some are used.

    Returns:
        "validation_bits" a graph, without properties; "conditional_bits" with them, if there are
        any; "validation_outside", the share of graphs that the model cannot draw, if not zero;
        "valid", of molecules.
    """
    few = max(1, VALIDATED_NODES // int(held_out.store.sizes.float().mean().clamp(min=9)))
    index = torch.arange(min(few, len(held_out)))
    graphs, *context = held_out[index]

    def nats(context: Tensor | None) -> Tensor:
        return model.refiner.code_log_prob(graphs, context, Noise(0, index)).sum(1)

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
        metrics["valid"] = sum(text is not None for text in smiles) / VALIDATED
    return metrics
