"""Training a generator of graphs."""

import math
from pathlib import Path

import torch
from torch import Tensor

from graphs.config import GraphsConfig
from graphs.data.store import GraphStore
from graphs.datasets.load import splits
from graphs.datasets.properties import Properties, WithProperties
from graphs.datasets.statistics import all_connected, batches, limits
from graphs.finetune import start_from
from graphs.generators.build import build
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.valence import Support
from graphs.model import GraphModel
from refine_core.noise import Noise
from refine_core.training.stages import Stages

JUDGED = 512  # validation graphs, and samples, that each epoch is judged by
JUDGED_NODES = 9 * JUDGED  # fewer if they are larger


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
        config: Of data, model and training.
        runs: Folder of runs.
        store: Graphs in place of `config.data.source`, as from
        `graphs.data.convert_networkx.from_networkx`.
        quiet: Whether to show nothing.

    Raises:
        InputError: The data cannot be used, see `graphs.datasets.load.splits`.
    """
    parts = splits(config.data, seed=config.seed, store=store, quiet=quiet)
    properties = Properties.of(parts.train, config.data.properties)
    connected, most = all_connected(parts.train), limits(parts.train)
    sizes = tuple(parts.train.sizes.bincount().tolist())
    support = None
    if config.model.bounded:
        support = Support.of(batches(parts.train), parts.train.vocabulary)
    run, digest = runs / config.name, parts.train.digest()
    stages = Stages(run, config.seed, digest, quiet)
    with stages.seeded(1):
        refiner = build(
            config.model,
            parts.train.vocabulary,
            most,
            connected=connected,
            properties=len(properties.names),
            support=support,
            sizes=sizes,
        )
    data = WithProperties(parts.train, properties)
    if config.model.start_from is not None:
        start_from(refiner, config.model.start_from, properties.names, parts.train.vocabulary)
    held = WithProperties(parts.validation, properties)

    def model(module: GraphRefiner) -> GraphModel:
        return GraphModel(
            module, config, parts.train.vocabulary, most, connected, properties, support, sizes
        )

    def validate(module: GraphRefiner) -> dict[str, float]:
        few = max(1, JUDGED_NODES // int(held.store.sizes.float().mean().clamp(min=9)))
        index = torch.arange(min(few, len(held)))
        held_out = held[index]

        def measure(context: Tensor | None) -> float:
            nats = module.code_log_prob(held_out[0], context, Noise(0, index)).sum(1)
            outside.append(float((~nats.isfinite()).float().mean()))
            return -float(nats[nats.isfinite()].mean()) / math.log(2)

        outside: list[float] = []
        bits = {"validation_bits": measure(None)}
        if outside[0]:  # the share that the model cannot draw, such as larger ones than it knows
            bits["validation_outside"] = outside[0]
        if len(held_out) > 1:
            bits["conditional_bits"] = measure(held_out[1])
        made = model(module)
        if not made.is_molecular:
            return bits
        smiles = made.smiles(made.sample(JUDGED))
        return bits | {"valid": sum(text is not None for text in smiles) / JUDGED}

    refiner = stages.train(
        refiner,
        data,
        config.model.training,
        stream=2,
        config=config,
        validate=validate,
        title="graphs",
    )
    result = model(refiner)
    result.save(run / "model.safetensors")
    return result
