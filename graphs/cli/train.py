"""The commands on data: `refine graphs describe`, and `train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from graphs.config import GraphsConfig
from graphs.datasets.config import DataConfig
from refine_core.app.outputs import check_folder, output_file
from refine_core.errors import InputError, suggest
from refine_core.storage.files import write_text

if TYPE_CHECKING:
    from graphs.datasets.splits import Splits


def train(config: GraphsConfig) -> None:
    """Train a generator from a config; goes on where it was stopped.

    Args:
        config: Config of data, model and training.
    """
    from graphs.training import train

    folder = Path("runs") / config.name
    check_folder(folder, "--name")
    _check_source(config.data.source)
    train(config)
    print(f"model: {folder / 'model.safetensors'}")


def describe(
    source: str, column: str = "smiles", out: Annotated[Path | None, output_file()] = None
) -> None:
    """Say what a data set holds: labels, sizes, properties, what was skipped.

    Args:
        source: As in a config: qm9, moses, a generator's name, or a path.
        column: Column of a .csv file that holds the SMILES.
        out: A text file to write it to as well.
    """
    from graphs.datasets.load import load_splits

    _check_source(source)
    text = "\n".join(
        [source, *_description(load_splits(DataConfig(source=source, column=column)))]
    )
    print(text)
    if out is not None:
        write_text(out, text + "\n")


def _description(parts: "Splits") -> list[str]:
    """Lines on the parts, and on the training graphs."""
    import torch

    lines = []
    for name in ("train", "validation", "test"):
        store = getattr(parts, name)
        sizes = store.sizes.float()
        low, mean, high = int(sizes.min()), float(sizes.mean()), int(sizes.max())
        lines.append(f"{name}: {len(store)} graphs of {low} to {high} nodes, mean {mean:.1f}")
    (first,) = parts.train[torch.arange(min(10_000, len(parts.train)))]
    vocabulary = parts.train.vocabulary
    if vocabulary.directed:
        lines.append("directed: > is an arc away, < one towards, = one each way")
    degree = (first.edges > 0).sum(2)[first.valid].float()
    return [
        *lines,
        f"node labels: {', '.join(vocabulary.nodes) or 'none'}",
        f"edge labels: {', '.join(vocabulary.edges) or 'none'}",
        f"mean degree: {float(degree.mean()):.2f}, largest {int(degree.max())}",
        f"properties: {', '.join(parts.train.properties) or 'none'}",
        *(f"{key}: {value}" for key, value in parts.train.report.items()),
    ]


def _check_source(source: str) -> None:
    """Refuse a source that is neither a name nor a path.

    Raises:
        InputError: It is neither.
    """
    from graphs.datasets.random_families import FAMILIES

    names = ("qm9", "moses", *FAMILIES)
    if source not in names and not Path(source).exists():
        raise InputError(
            f"{source} is not a file, a folder or one of {', '.join(names)}: give one of these."
            f"{suggest(source, names)}"
        )
