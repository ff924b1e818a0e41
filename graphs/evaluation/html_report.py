"""report.html of an evaluation: the verdict, the metrics, and the molecules one by one."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from refine_core.app.html import Card, Figure, Gallery, KeyFigure, Page, Section, Text
from refine_core.app.progress import Say

CARDS = 80
"""Molecules that are shown one by one, as long as their drawings have less than `BYTES`."""
BYTES = 2_000_000
PROPERTIES = ("logp", "qed", "sa", "weight", "tpsa", "rings")
SHARES = {
    "valid": "valid",
    "unique": "distinct",
    "novel": "not in the training set",
    "valid_unique_novel": "valid, distinct and not in the training set",
    "vun": "valid, distinct and not in the training set",
    "acyclic": "acyclic",
}
"""Metrics that are shares, and what they are shares of."""
Metrics = Mapping[str, float]


def metrics_page(title: str, metrics: Metrics, table: str, sections: Sequence[Section]) -> Page:
    """A page on a model of graphs.

    Args:
        title: Its heading.
        metrics: Those of the report.
        table: They, in Markdown.
        sections: What else is shown, before the table.
    """
    count = metrics.get("count", metrics.get("graphs", 0.0))
    figures = [
        KeyFigure.share(label, metrics[name], _trials(name, metrics, count))
        for name, label in SHARES.items()
        if name in metrics and not math.isnan(metrics[name])
    ]
    for name, label in {"fcd": "Frechet ChemNet distance", "ratio": "mean ratio"}.items():
        if name in metrics:
            figures.append(_distance(label, name, metrics))
    return Page(
        title=title,
        kind="refine graphs evaluate",
        verdict=verdict(metrics, count),
        figures=figures,
        sections=[*sections, Section("Metrics", [Text(table)])],
    )


def verdict(metrics: Metrics, count: float) -> str:
    """The metrics that matter most, in one or two sentences.

    Args:
        metrics: Those of the report.
        count: Graphs that were sampled.
    """
    of = {"novel": " of the distinct ones"} if "count" in metrics else {}
    found = [
        f"**{100 * metrics[name]:.4g} %**{of.get(name, '')} are {SHARES[name]}"
        for name in ("valid", "acyclic", "novel")
        if not math.isnan(metrics.get(name, math.nan))
    ]
    text = f"Of {count:,.0f} samples {_listed(found)}."
    if not math.isnan(fcd := metrics.get("fcd", math.nan)):
        trained = metrics.get("fcd_train")
        beside = "" if trained is None else f", that of training molecules {trained:.3g}"
        text += f" Their Frechet ChemNet distance to test molecules is **{fcd:.3g}**{beside}."
    elif not math.isnan(ratio := metrics.get("ratio", math.nan)):
        text += (
            f" Their distances to test graphs are **{ratio:.3g} times** those of training graphs "
            "in the mean; 1 is as good as the data."
        )
    return text


def _trials(name: str, metrics: Metrics, count: float) -> float:
    """How many graphs a share is of: `unique` is of valid molecules, `novel` of distinct ones."""
    if "count" not in metrics:
        return count
    valid = metrics["valid"] * count
    return {"unique": valid, "novel": valid * metrics["unique"]}.get(name, count)


def _distance(label: str, name: str, metrics: Metrics) -> KeyFigure:
    trained = metrics.get(f"{name}_train")
    beside = "1 is as good as the data" if trained is None else f"training set {trained:.3g}"
    return KeyFigure(label, f"{metrics[name]:.3g}", beside=beside)


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def molecule_section(
    smiles: Sequence[str | None],
    train: Sequence[str],
    cache: Path | None,
    say: Say,
) -> Section:
    """The first valid samples, each beside the training molecule it is most similar to.

    Args:
        smiles: Samples, None where no molecule came out.
        train: SMILES of training molecules.
        cache: See `nearest_molecules`.
        say: Likewise.
    """
    from graphs.chem.pictures import draw_molecule
    from graphs.chem.properties import property_values
    from graphs.chem.scores import examine
    from graphs.metrics.neighbours import nearest_molecules

    read = [molecule.smiles for text in smiles if (molecule := examine(text))][:CARDS]
    found = nearest_molecules(read, train, cache, say) if read else []
    values = property_values(read, PROPERTIES)
    cards, room = list[Card](), BYTES
    for place, (text, (other, similarity)) in enumerate(zip(read, found, strict=True)):
        numbers = {name: round(float(column[place]), 4) for name, column in values.items()}
        known = text == other
        note = "A training molecule" if known else ""
        near = None if known else ("Nearest training molecule", Card(other, draw_molecule(other)))
        picture = draw_molecule(text)
        room -= len(picture) + (len(str(near[1].picture)) if near else 0)
        if room < 0:
            break
        cards.append(Card(text, picture, {**numbers, "similarity": similarity}, note, near))
    about = (
        f"The first {len(cards)} valid samples of {len(smiles)}, as they were drawn, without "
        "stereochemistry. *Similarity* is that of Tanimoto to the nearest training molecule, of "
        "Morgan fingerprints of radius 2 with 1,024 bits."
    )
    return Section("Molecules", [Text(about), Gallery(cards, "molecules")])


def picture_section(picture: Path) -> Section:
    """The picture of graphs that are not molecules."""
    caption = "Generated graphs in the first two rows, training graphs below; coloured by degree"
    return Section("Graphs", [Figure(picture, caption)])
