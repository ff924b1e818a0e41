"""Jobs over processes: order, what is not run again, and what happens when one goes wrong."""

import json
import os
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from refine_core.app.parallel import Job, Tick, run_jobs
from refine_core.errors import InputError


def shared() -> int:
    return 100


def add(number: int, needs: tuple[Path, ...], order: Path, start: int, tick: Tick) -> int:
    """The shared number, plus one's own and what the needed results hold."""
    with order.open("a") as file:
        print(number, file=file)
    tick(1.0)
    return start + number + sum(int(path.read_text()) for path in needs)


def job(folder: Path, number: int, cost: float, *needs: int) -> Job[int]:
    paths = tuple(folder / f"{n}.json" for n in needs)
    run = partial(add, number, paths, folder / "order.txt")
    return Job(folder / f"{number}.json", cost, run, paths)


def ran(folder: Path) -> list[int]:
    path = folder / "order.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def chain(folder: Path) -> list[Job[int]]:
    """1 is needed by 2, and both by 3; 4 is longer than each and shorter than the chain."""
    return [
        job(folder, 4, 5.0),
        job(folder, 3, 2.0, 1, 2),
        job(folder, 2, 2.0, 1),
        job(folder, 1, 2.0),
        job(folder, 1, 2.0),
    ]


def values(folder: Path) -> dict[int, int]:
    return {n: json.loads((folder / f"{n}.json").read_text()) for n in (1, 2, 3, 4)}


def test_jobs_wait_for_what_they_need_and_the_longest_chain_starts(tmp_path: Path) -> None:
    run_jobs(chain(tmp_path), shared, 1, title="work", quiet=True)
    assert ran(tmp_path) == [1, 4, 2, 3]
    assert values(tmp_path) == {1: 101, 2: 203, 3: 407, 4: 104}


def test_rank_comes_before_length_and_needs_before_rank(tmp_path: Path) -> None:
    jobs = [
        replace(each, rank=rank)
        for each, rank in zip(chain(tmp_path), (2, 0, 1, 1, 9), strict=True)
    ]
    run_jobs(jobs, shared, 1, title="work", quiet=True)
    # 3 is of the smallest rank and waits for 1, of which the second is not another job, and 2.
    assert ran(tmp_path) == [1, 2, 3, 4]


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    run_jobs(chain(tmp_path), shared, 1, title="work", quiet=True)
    (tmp_path / "2.json").unlink()
    run_jobs(chain(tmp_path), shared, 1, title="work", quiet=True)
    assert ran(tmp_path) == [1, 4, 2, 3, 2]


def test_results_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    run_jobs(chain(tmp_path), shared, 2, title="work", quiet=True)
    assert values(tmp_path) == {1: 101, 2: 203, 3: 407, 4: 104}
    assert ran(tmp_path).index(1) < ran(tmp_path).index(2) < ran(tmp_path).index(3)


def refuse(start: int, tick: Tick) -> int:
    raise InputError("Found nothing to do.")


def die(start: int, tick: Tick) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def wait_for_the_end(path: Path, start: int, tick: Tick) -> int:
    """Go on until the parent says stop."""
    try:
        while True:
            time.sleep(0.05)
            tick(0.0)
    finally:
        path.write_text("stopped")


def test_a_refused_job_stops_the_others(tmp_path: Path) -> None:
    jobs = [
        Job(tmp_path / "a.json", 2.0, partial(wait_for_the_end, tmp_path / "said.txt")),
        Job(tmp_path / "b.json", 1.0, refuse),
    ]
    with pytest.raises(InputError, match="Found nothing to do"):
        run_jobs(jobs, shared, 2, title="work", quiet=True)
    # The first may not have started when the second fails.
    said = tmp_path / "said.txt"
    assert not said.exists() or said.read_text() == "stopped"
    assert not list(tmp_path.glob("*.json"))


def test_a_killed_process_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="start again with --workers 1"):
        run_jobs([Job(tmp_path / "a.json", 1.0, die)], shared, 2, title="work", quiet=True)


def unshared() -> int:
    raise InputError("Found no data: give some.")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_shared_is_a_sentence(workers: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Found no data: give some"):
        run_jobs([job(tmp_path, 1, 1.0)], unshared, workers, title="work", quiet=True)
