# mypy: ignore-errors
"""Training the tokeniser of the latent pyramid, before its refiner."""

from pathlib import Path

import torch
from torch import nn

from graphs.config import GraphsConfig
from graphs.data.store import GraphStore
from graphs.generators.latent.model import LatentRefiner
from refine_core.data import Data
from refine_core.noise import Noise, derive
from refine_core.training.fit import fit
from refine_core.training.runs import Run

JUDGED = 2048  # validation graphs that each epoch is judged by


def learn_latents(
    refiner: LatentRefiner,
    config: GraphsConfig,
    data: Data,
    validation: GraphStore,
    folder: Path,
    digest: str,
    *,
    quiet: bool = False,
) -> None:
    """Train encoder and decoder, and freeze them again; go on where an earlier call was stopped.

    Args:
        refiner: Whose tokeniser is trained, in place.
        config: Of the run.
        data: Training graphs.
        validation: Held-out graphs.
        folder: Of the run; the tokeniser's metrics go to `tokenizer` in it.
        digest: Of the data.
        quiet: Whether to show nothing.
    """
    index = torch.arange(min(JUDGED, len(validation)))
    held_out = validation[index]

    def validate(module: nn.Module) -> dict[str, float]:
        return {"validation_wrong": float(module(held_out, Noise(0, index))["wrong"])}

    tokens = refiner.tokenizer.requires_grad_(True)
    fitted, _ = fit(
        tokens,
        data,
        config.model.latent.training,
        seed=derive(config.seed, 3),
        run=Run.start(folder / "tokenizer", config, config.seed, digest),
        validate=validate,
        title="latents",
        quiet=quiet,
    )
    tokens.load_state_dict(fitted.state_dict())
    tokens.requires_grad_(False).eval()
