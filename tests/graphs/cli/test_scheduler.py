"""Molecules that the workers of a dask cluster read are those that one process reads."""

from pathlib import Path

import pytest

from graphs.chem import workers
from graphs.cli.main import main
from tests.clusters import cluster
from tests.graphs.chem.molecules import MOLECULES


@pytest.mark.parametrize("count", [2, 3])
def test_molecules_read_on_a_cluster(
    count: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(workers, "CHUNK", 40)
    monkeypatch.chdir(tmp_path)
    texts = [smiles for smiles in [*MOLECULES, "C1CC", "C[CH2]"] for _ in range(9)]
    Path("mine.smi").write_text("\n".join(texts))
    command, made, said = ["describe", "--source", "mine.smi"], list[dict[str, bytes]](), []
    with cluster(count) as there:
        for words in ([], ["--scheduler", there.scheduler_address]):
            monkeypatch.setenv("REFINE_CACHE", cache := f"cache{len(made)}")
            monkeypatch.setattr(workers.os, "cpu_count", lambda: 1)  # type: ignore[attr-defined]
            main([*command, *words])
            said.append(capsys.readouterr().out)
            files = sorted(Path(cache).rglob("*.*"))
            made.append({file.name: file.read_bytes() for file in files})
    assert len(made[0]) == 2 and made[0] == made[1] and said[0] == said[1]
