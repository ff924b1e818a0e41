"""The command `refine graphs sample`."""

from pathlib import Path
from typing import Literal

from graphs import model as trained
from graphs.data.graphml import check_folder, write_graphml
from graphs.generators.scaffold.sampler import PARTICLES
from refine_core.app.options import arguments
from refine_core.app.progress import say
from refine_core.errors import InputError


def sample(argv: list[str]) -> None:
    """Draw graphs: molecules as .smi, .csv, .sdf or a picture, others as a folder of .graphml."""

    def run(
        model: str,
        count: int = 100,
        seed: int = 0,
        where: tuple[str, ...] = (),
        guidance: float | None = None,
        parallel: Literal["one", "independent", "all"] | None = None,
        calls: int | None = None,
        order: Literal["random", "confidence"] | None = None,
        temperature: float | None = None,
        batch: int = 250,
        scaffold: str | None = None,
        particles: int = PARTICLES,
        coordinates: Literal["2d", "3d"] = "2d",
        out: Path = Path("molecules.smi"),
    ) -> None:
        """Draw graphs.

        Args:
            model: A shipped model's name, a run's folder or a file.
            count: How many graphs.
            seed: Of the draw; graph i depends on it and i only.
            where: Properties wanted, in the data's units, as logp=2.5,qed=0.6.
            guidance: Weight of classifier-free guidance; by default the model's.
            parallel: Clusters that split in one call; by default the model's.
            calls: Network calls, for models of kind masked.
            order: What masked diffusion reveals next.
            temperature: By default the model's.
            batch: Graphs at a time.
            scaffold: SMILES of what every molecule shall contain, such as c1ccccc1.
            particles: With a scaffold: draws of which one is kept, for each molecule.
            coordinates: Of .sdf files.
            out: A .smi, .csv, .sdf, .png or .svg file of molecules, of which those that RDKit
                refuses are left out, and counted; or a folder with a name in .graphml for the
                files of other graphs, which replace those of an earlier draw.
        """
        loaded = trained.load(model)
        kinds = [".smi", ".csv", ".sdf", ".png", ".svg"] if loaded.is_molecular else [".graphml"]
        if out.suffix not in kinds:
            raise InputError(f"{out} ends with {out.suffix!r}: give one of {', '.join(kinds)}.")
        if not loaded.is_molecular:
            check_folder(out)
        graphs = loaded.sample(
            count,
            seed=seed,
            where=wanted(where),
            guidance=guidance,
            parallel=parallel,
            calls=calls,
            order=order,
            temperature=temperature,
            batch=batch,
            scaffold=scaffold,
            particles=particles,
            quiet=False,
        )
        if loaded.is_molecular:
            smiles = loaded.smiles(graphs)
            if scaffold is not None:
                smiles = _containing(smiles, scaffold)
            _write_molecules(smiles, out, coordinates, seed)
        else:
            from graphs.data.convert_networkx import to_networkx

            write_graphml(to_networkx(graphs, loaded.vocabulary), out)
        print(out)

    arguments(run, argv, "refine graphs sample")


def wanted(where: tuple[str, ...]) -> dict[str, float] | None:
    """Read properties given as name=value, separated by spaces or commas.

    Raises:
        InputError: One of them is not.
    """
    pairs = {}
    for text in (part for words in where for part in words.split(",")):
        name, _, value = text.partition("=")
        try:
            pairs[name.strip()] = float(value)
        except ValueError:
            raise InputError(
                f"Found --where {text!r}, expected name=number, such as logp=2.5,qed=0.6."
            ) from None
    return pairs or None


def _containing(smiles: list[str | None], scaffold: str) -> list[str | None]:
    """Only those in which RDKit finds the scaffold; None for others."""
    from graphs.chem.substructure import contain

    kept = contain(smiles, scaffold)
    lost = sum(not found for found, text in zip(kept, smiles, strict=True) if text is not None)
    if lost:
        say(f"{lost} molecules left out, of which {scaffold} has become part of an aromatic ring")
    return [text if found else None for found, text in zip(kept, smiles, strict=True)]


def _write_molecules(
    smiles: list[str | None], out: Path, coordinates: Literal["2d", "3d"], seed: int
) -> None:
    from graphs.chem.files import write_molecules
    from graphs.chem.pictures import plot_molecules
    from graphs.chem.properties import property_values

    found = [text for text in smiles if text is not None]
    say(f"{len(found)} of {len(smiles)} are valid molecules")
    if not found:
        raise InputError("Not one of the graphs drawn is a valid molecule: train for longer.")
    if out.suffix in (".png", ".svg"):
        plot_molecules(found, out)
    elif out.suffix == ".smi":
        write_molecules(found, out)
    else:
        write_molecules(found, out, property_values(found), coordinates=coordinates, seed=seed)
