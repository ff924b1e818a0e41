"""Parts of a data set: whole, apart, and the same for a seed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from graphs.chem import ParseOptions, collect_molecules
from graphs.chem.fragments import is_atom
from graphs.datasets.molecules import read_splits
from graphs.datasets.splits import molecule_groups, split_store
from graphs.datasets.statistics import max_counts
from tests.graphs.datasets.test_molecule_files import texts


def test_splits_are_a_partition_that_follows_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "own.smi"
    chains = ["C" * k for k in range(1, 41)]
    path.write_text("\n".join(chains))
    first, same, other = (
        read_splits(path, seed=seed, cache=tmp_path, quiet=True) for seed in (0, 0, 1)
    )
    parts = (first.train, first.validation, first.test)
    assert [len(part) for part in parts] == [32, 4, 4]
    assert sorted(sum(map(texts, parts), []), key=len) == chains
    assert texts(first.test) == texts(same.test) != texts(other.test)
    dealt = split_store(first.train, (30, 2, 0))
    assert [len(part) for part in (dealt.train, dealt.validation, dealt.test)] == [30, 2, 0]


def test_no_molecule_is_in_two_parts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "own.smi"
    pairs = [f"C[C{at}H](O){'C' * k}" for k in range(2, 42) for at in ("@", "@@")]
    path.write_text("\n".join([*pairs, "C(C)O", "OCC"]))  # both enantiomers, and a duplicate
    data = read_splits(path, cache=tmp_path, quiet=True)
    parts = [texts(part) for part in (data.train, data.validation, data.test)]
    assert [len(part) for part in parts] == [66, 8, 8]
    assert sum(len(set(part)) for part in parts) == len(set().union(*parts)) == 41
    assert data.train.report["duplicates"] == 41
    assert any("41 molecules repeat another" in said for said in caplog.messages)


def test_dealing_of_old_is_kept() -> None:
    store = collect_molecules(
        ["C" * k for k in range(1, 13)], quiet=True, options=ParseOptions()
    ).store
    order = np.random.default_rng(3).permutation(12)
    for dealt in (
        split_store(store, (8, 2, 2), 3),
        split_store(store, (8, 2, 2), 3, molecule_groups(store)),
    ):
        found = [dealt.train.sizes, dealt.validation.sizes, dealt.test.sizes]
        assert torch.cat(found).tolist() == (order + 1).tolist()
        assert [len(part) for part in found] == [8, 2, 2]


def test_mined_fragments_are_those_of_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rings.smi"
    path.write_text("\n".join(f"C[C@H](F)C1{'C' * n}1" for n in range(2, 40)))
    data = read_splits(path, ParseOptions(mined=100), cache=tmp_path, quiet=True)
    names, most = data.train.vocabulary.nodes, max_counts(data.train)
    rings = [count for name, count in zip(names, most, strict=False) if not is_atom(name)]
    assert len(rings) == len(data.train) and min(rings) == 1
    held_out = [data.validation, data.test]
    assert all(len(part) > 2 for part in held_out)
    assert all(part.vocabulary == data.train.vocabulary for part in held_out)
    assert min(int(part.sizes.min()) for part in held_out) > 4  # their rings come apart
    assert caplog.text.count("stereochemistry dropped") == 1
