"""Processes that `torchrun` starts share the molecules of one command."""

from pathlib import Path

from refine_core.app.cli import main
from tests.ranks import REFINE, started


def test_molecules_of_two_processes_are_those_of_one(tmp_path: Path) -> None:
    one, two = (tmp_path / f"{name}.csv" for name in ("one", "two"))
    words = ["graphs", "sample", "--model", "qm9", "--count", "600", "--seed", "3"]
    main([*words, "--workers", "1", "--out", str(one)])
    with started(REFINE, 2, *words, "--workers", "1", "--out", str(two)) as running:
        assert [process.wait(120) for process in running] == [0, 0]
    assert one.read_bytes() == two.read_bytes()
