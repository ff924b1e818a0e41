"""The command `refine graphs sample`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from refine_core.app.outputs import output_file
from refine_core.app.processes.workers import Workers
from refine_core.app.progress import say
from refine_core.config.ranges import AtLeastOne, NonNegativeFloat, PositiveInt
from refine_core.errors import InputError
from refine_core.storage.lock import OutputLock

if TYPE_CHECKING:
    from graphs.chem.properties import Near
    from graphs.model import GraphModel

MOLECULES, OTHERS = (".smi", ".csv", ".sdf", ".png", ".svg"), (".graphml",)
"""Suffixes of files of molecules, and of folders of other graphs."""
DEFAULT = Path("molecules.smi")


def sample(
    model: str = "qm9",
    count: PositiveInt = 100,
    seed: int = 0,
    where: tuple[str, ...] = (),
    guidance: float | None = None,
    calls: PositiveInt | None = None,
    temperature: NonNegativeFloat | None = None,
    first_temperature: NonNegativeFloat | None = None,
    batch: PositiveInt = 500,
    scaffold: str | None = None,
    near: tuple[str, ...] = (),
    particles: AtLeastOne | None = None,
    workers: Workers = "auto",
    coordinates: Literal["2d", "3d"] = "2d",
    out: Annotated[Path | None, output_file(*MOLECULES, *OTHERS)] = None,
) -> None:
    """Sample graphs: molecules as .smi, .csv, .sdf or a picture, others as a folder of .graphml.

    Args:
        model: A shipped model's name, a run's folder or a file.
        count: How many graphs.
        seed: Seed of the samples; graph i depends on it and i only.
        where: Properties requested, in the data's units, as logp=2.5,qed=0.6.
        guidance: Weight of classifier-free guidance; by default the model's.
        calls: Network calls, for models of kind masked.
        temperature: By default the model's.
        first_temperature: Of the first call of contractions; by default the model's.
        batch: Graphs at a time.
        scaffold: SMILES of what every molecule shall contain, such as c1ccccc1. With attachment
            points, as *c1ccccc1 or *C1CC1.*C=O, a molecule goes on at these only; without, at all
            but atoms whose hydrogens are written, as [nH] in c1cc[nH]c1.
        near: Properties that RDKit computes and samples come near to, of any model of molecules,
            as logp=2.5,qed=0.6: the nearer, the more particles.
        particles: Draws of which one is kept, for each molecule, with a scaffold, or `near`, by
            default 8; or draws on average of models that have a residual energy, by default as
            many as they say.
        workers: Processes that share the batches; auto is one for each core where that pays.
        coordinates: Coordinates of .sdf files.
        out: A .smi, .csv, .sdf, .png or .svg file of molecules, of which those that RDKit refuses
            are left out, and counted; or a folder with a name in .graphml for the files of other
            graphs, which replace those of earlier samples. By default molecules.smi, if there is
            none yet.
    """
    from graphs.data.convert_networkx import to_networkx
    from graphs.data.graphml import write_graphml
    from graphs.model import load

    properties, wanted = requested(where, "--where") or None, requested(near, "--near")
    loaded = load(model)
    if wanted and not loaded.is_molecular:
        raise InputError(
            "Found --near for a model whose graphs are not molecules and have no properties: "
            "leave it out."
        )
    out = _default_output() if out is None else out
    _check_output(out, loaded)
    with OutputLock(out, folder=False):
        graphs = loaded.sample(
            count,
            seed=seed,
            where=properties,
            guidance=guidance,
            calls=calls,
            temperature=temperature,
            first_temperature=first_temperature,
            batch=batch,
            scaffold=scaffold,
            score=_score(wanted) if wanted else None,
            particles=particles,
            workers=workers,
            quiet=False,
        )
        if loaded.is_molecular:
            smiles = loaded.smiles(graphs)
            if scaffold is not None:
                smiles = _containing(smiles, scaffold)
            _write_molecules(smiles, out, coordinates, seed)
        else:
            write_graphml(to_networkx(graphs, loaded.vocabulary), out)
    print(out)


def _default_output() -> Path:
    """Where samples go if nothing is said.

    Raises:
        InputError: There is such a file, which may be of molecules of one's own.
    """
    if DEFAULT.exists():
        raise InputError(
            f"Found {DEFAULT}, which is not replaced unasked: give --out {DEFAULT} to replace it, "
            "or another name."
        )
    return DEFAULT


def _score(wanted: Mapping[str, float]) -> "Near":
    from graphs.chem.properties import near

    return near(wanted)


def requested(words: Sequence[str], option: str) -> dict[str, float]:
    """Read properties given as name=value, separated by spaces or commas.

    Args:
        words: Words of the command line.
        option: That they follow, for the message.

    Raises:
        InputError: One of them is something else, or has two values.
    """
    pairs: dict[str, float] = {}
    for text in (part for word in words for part in word.split(",")):
        name, _, value = (part.strip() for part in text.partition("="))
        if name in pairs:
            raise InputError(f"Found {name} twice in {option}, expected one value of it.")
        try:
            pairs[name] = float(value)
        except ValueError:
            pairs[name] = math.nan
        if not math.isfinite(pairs[name]):
            raise InputError(
                f"Found {option} {text!r}, expected name=number, such as logp=2.5,qed=0.6."
            )
    return pairs


def _check_output(out: Path, model: "GraphModel") -> None:
    """Refuse a place that does not suit the model's graphs, or holds other files.

    Raises:
        InputError: It does not, or does.
    """
    from graphs.data.graphml import check_folder

    known = MOLECULES if model.is_molecular else OTHERS
    if out.suffix.lower() not in known:
        kind = "molecules" if model.is_molecular else "graphs that are no molecules"
        raise InputError(
            f"Found --out {out} for {kind}, expected a name that ends in {' or '.join(known)}."
        )
    if not model.is_molecular:
        check_folder(out)


def _containing(smiles: Sequence[str | None], scaffold: str) -> list[str | None]:
    """Only those in which RDKit finds the scaffold; None for others."""
    from graphs.chem.substructure import contain

    found = contain(smiles, scaffold)
    pairs = list(zip(found, smiles, strict=True))
    lost = sum(text is not None and not contained for contained, text in pairs)
    if lost:
        say(
            f"{lost} molecules left out, in which {scaffold} is not as written: it is now part "
            "of an aromatic ring, or its hydrogens were not kept"
        )
    return [text if contained else None for contained, text in pairs]


def _write_molecules(
    smiles: Sequence[str | None], out: Path, coordinates: Literal["2d", "3d"], seed: int
) -> None:
    """Write those that are valid.

    Raises:
        InputError: None is.
    """
    from graphs.chem.files import write_molecules
    from graphs.chem.pictures import plot_molecules
    from graphs.chem.properties import property_values
    from graphs.chem.smiles import is_connected

    valid = [text for text in smiles if text is not None]
    say(f"{len(valid)} of {len(smiles)} are valid molecules")
    if pieces := sum(not is_connected(text) for text in valid):
        say(
            f"{pieces} of these are in several pieces, for some of the training molecules are: "
            "train with data.largest_fragment"
        )
    if not valid:
        raise InputError("Not one of the samples is a valid molecule: train for longer.")
    suffix = out.suffix.lower()
    if suffix in (".png", ".svg"):
        plot_molecules(valid, out)
    elif suffix == ".smi":
        write_molecules(valid, out)
    else:
        write_molecules(valid, out, property_values(valid), coordinates=coordinates, seed=seed)
