"""Scores of generated molecules against training and test sets."""

from collections.abc import Sequence
from pathlib import Path

from scipy.stats import wasserstein_distance

from graphs.chem.scores import PROPERTIES, Filters, examine, ring_sizes
from graphs.metrics import fcd, guacamol, nspdk, similarity
from graphs.metrics.summary import Summary, summarise
from refine_core.app.progress import Say, silent
from refine_core.errors import InputError


def evaluate_molecules(
    smiles: Sequence[str | None],
    train: Sequence[str],
    test: Sequence[str],
    *,
    scaffolds: Sequence[str] | None = None,
    filters: Sequence[str] | None = None,
    reference: bool = True,
    cache: Path | None = None,
    say: Say = silent,
) -> dict[str, float]:
    """Score generated molecules; shares lie in [0, 1], and scores of no molecule are NaN.

    The keys of the result:

    - `count`: generated molecules.
    - `valid`: share that RDKit can sanitise, in one piece or several.
    - `valid_connected`: share that RDKit can sanitise and that is in one piece.

    All that follows is measured, as DiGress and its successors do, on the largest fragment of each
    valid molecule, without stereochemistry:

    - `unique`: distinct ones over valid ones. `novel`: distinct ones not in `train` over distinct
      ones. `valid_unique_novel`: distinct ones not in `train` over `count`.
    - `fcd`: Frechet ChemNet distance to `test` (`graphs.metrics.fcd`).
    - `nspdk`: squared maximum mean discrepancy from `test` (`graphs.metrics.nspdk`).
    - `snn`: mean Tanimoto similarity to the most similar test molecule; Morgan fingerprints of
      radius 2 with 1,024 bits.
    - `frag`, `scaf`: cosine of the counts of BRICS fragments, and of Bemis-Murcko scaffolds with
      two rings or more, to those of `test`.
    - `known_scaffold`: share of those scaffolds that are among the ones of `test`.
    - `logp`, `sa`, `qed`, `weight`: Wasserstein distance of the values from those of `test`.
    - `int_div`, `int_div2`: one minus the mean, and the root mean square, Tanimoto similarity of
      all pairs.
    - `rings_of_3`, `rings_of_4`, `larger_rings`: share with a ring of so many atoms, or of seven
      and more.
    - `filters`, if given: share that passes (`graphs.chem.scores.Filters`).
    - `fcd`, `snn`, `frag` and `scaf` with `_scaffolds` behind, if given: compared with `scaffolds`
      in place of `test`, as most publications on MOSES do.

    - `guacamol_kl`, `guacamol_fcd`, with `reference`: scores in [0, 1] against training molecules
      in place of `test`, 1 best (`graphs.metrics.guacamol`).

    `snn` to `scaf`, `logp` to `int_div2` and `filters` are the metrics of MOSES (Polykovskiy et
    al., 2020). With `reference`, each comparison with `test` also stands under its name with
    `_train` for as many training molecules,
    evenly spaced, in place of the generated ones.

    Args:
        smiles: Generated molecules, None where no molecule came out.
        train: SMILES of training molecules; made canonical, without stereochemistry, if needed.
        test: SMILES of test molecules, likewise.
        scaffolds: SMILES of a second test set, of scaffolds that are not in `train`.
        filters: The medicinal chemistry filters of MOSES, as SMARTS.
        reference: Whether to compare training molecules with `test` too.
        cache: Folder of the cache, which keeps summaries of `test` and of training molecules.
        say: Receives a line about each stage.

    Raises:
        InputError: A list is empty, or `train` or `test` has a molecule that RDKit refuses.
    """
    for name, molecules in (("generated", smiles), ("training", train), ("test", test)):
        if not len(molecules):
            raise InputError(f"Found no {name} molecules; give at least one.")
    say(f"checking {len(smiles)} molecules")
    found = [molecule for molecule in map(examine, smiles) if molecule is not None]
    valid = [molecule.smiles for molecule in found]
    distinct = set(valid)
    known = _canonical(train, "training")
    novel = distinct.difference(known)
    report = {
        "count": float(len(smiles)),
        "valid": len(found) / len(smiles),
        "valid_connected": sum(molecule.fragments == 1 for molecule in found) / len(smiles),
        "unique": _share(len(distinct), len(valid)),
        "novel": _share(len(novel), len(distinct)),
        "valid_unique_novel": len(novel) / len(smiles),
    }
    ours, unseen = summarise(valid, None, say), summarise(_canonical(test, "test"), cache, say)
    report |= distribution_metrics(ours, unseen)
    report["int_div"], report["int_div2"] = similarity.diversity(ours.fingerprints)
    report |= _rings(valid, "")
    new = None if scaffolds is None else summarise(_canonical(scaffolds, "test"), cache, say)
    if new is not None:
        report |= _on_scaffolds(ours, new, "")
    if filters is not None:
        say("applying the filters")
        passes = Filters(filters).passes
        report["filters"] = _share(sum(map(passes, valid)), len(valid))
    if reference:
        say("measuring training molecules")
        count = min(len(smiles), len(known))
        spaced = [known[i * len(known) // count] for i in range(count)]
        learnt = summarise(spaced, cache, say)
        reached = distribution_metrics(learnt, unseen)
        report["guacamol_kl"] = guacamol.kl_score(valid, spaced)
        report["guacamol_fcd"] = guacamol.fcd_score(_frechet(ours, learnt))
        report |= {f"{name}_train": value for name, value in reached.items()}
        report |= _rings(spaced, "_train")
        if new is not None:
            report |= _on_scaffolds(learnt, new, "_train")
    return report


def _rings(smiles: Sequence[str], suffix: str) -> dict[str, float]:
    """Shares of molecules with small and with large rings."""
    sizes = [ring_sizes(each) for each in smiles]
    wanted = {"rings_of_3": {3}, "rings_of_4": {4}, "larger_rings": set(range(7, 1000))}
    found = {name: sum(not own.isdisjoint(s) for own in sizes) for name, s in wanted.items()}
    return {f"{name}{suffix}": _share(count, len(sizes)) for name, count in found.items()}


def _on_scaffolds(ours: Summary, new: Summary, suffix: str) -> dict[str, float]:
    """Metrics that compare with test molecules of new scaffolds."""
    found = distribution_metrics(ours, new)
    return {f"{k}_scaffolds{suffix}": found[k] for k in ("fcd", "snn", "frag", "scaf")}


def distribution_metrics(ours: Summary, theirs: Summary) -> dict[str, float]:
    """Return the metrics that compare two sets of molecules, by name; see `evaluate_molecules`."""
    nothing = not (len(ours.properties) and len(theirs.properties))
    nan = float("nan")
    nearest = nan if nothing else similarity.nearest(ours.fingerprints, theirs.fingerprints).mean()
    columns = zip(PROPERTIES, ours.properties.T, theirs.properties.T, strict=True)
    return {
        "fcd": _frechet(ours, theirs),
        "nspdk": nspdk.discrepancy(ours.neighbourhoods, theirs.neighbourhoods),
        "snn": float(nearest),
        "frag": similarity.cosine(ours.fragments, theirs.fragments),
        "scaf": similarity.cosine(ours.scaffolds, theirs.scaffolds),
        "known_scaffold": _share(
            sum(count for name, count in ours.scaffolds.items() if name in theirs.scaffolds),
            ours.scaffolds.total(),
        ),
        **{n: nan if nothing else float(wasserstein_distance(x, y)) for n, x, y in columns},
    }


def _frechet(ours: Summary, theirs: Summary) -> float:
    return fcd.frechet(ours.mean, ours.covariance, theirs.mean, theirs.covariance)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _canonical(smiles: Sequence[str], name: str) -> Sequence[str]:
    """Return the list as it is if a thousand of its molecules are canonical, else made so."""
    sample = smiles[:: max(1, len(smiles) // 1000)]
    found = [molecule and molecule.smiles for molecule in map(examine, sample)]
    if found == list(sample):
        return smiles
    result = []
    for text in smiles:
        molecule = examine(text)
        if molecule is None:
            raise InputError(
                f"Found the {name} molecule {text!r}, which RDKit refuses; remove or repair it."
            )
        result.append(molecule.smiles)
    return result
