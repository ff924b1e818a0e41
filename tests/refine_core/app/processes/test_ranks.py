"""Processes of `torchrun` compute for the first of them, and end with it."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import refine_core as rc
from refine_core.app.processes import ranks
from refine_core.app.processes.ranks import trains
from refine_core.app.processes.workers import map_in_workers
from refine_core.errors import InputError
from tests.ranks import started

NAMES = ("RANK", "WORLD_SIZE")


def squared(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def refuse(number: int) -> int:
    if number == 8:  # which this process does not reach before the others have failed
        raise InputError("Found 8.")
    return number


def nested(number: int) -> int:
    """Shares work of its own, for which no process is free."""
    return sum(each for each, _ in map_in_workers(squared, range(number), number, 1))


def die(number: int) -> int:
    if number == 0:  # which another process takes
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def share(out: Path, work: str = "squared") -> None:
    """Write results of two functions, one after the other, and where they were computed."""
    known: dict[str, Callable[[int], object]] = {"squared": squared, "refuse": refuse, "die": die}
    made = [list(map_in_workers(known[work], range(count), count, 1)) for count in (9, 5)]
    made.append(list(map_in_workers(nested, range(4), 4, 1)))
    seen = [*(os.environ.get(name) for name in NAMES), ranks.near()]
    out.write_text(json.dumps([made, seen]))


@trains
def train(out: Path) -> None:
    """Write what each process knows of itself."""
    out.with_name(out.name + os.environ["RANK"]).write_text(os.environ["WORLD_SIZE"])


def test_the_others_compute_and_only_the_first_writes(tmp_path: Path) -> None:
    with started(__name__, 3, "share", "--out", str(tmp_path / "out")) as running:
        assert [process.wait(120) for process in running] == [0, 0, 0]
        pids = [process.pid for process in running]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (first, second, third), seen = json.loads((tmp_path / "out").read_text())
    assert [number for number, _ in first] == [number**2 for number in range(9)]
    assert [number for number, _ in second] == [number**2 for number in range(5)]
    assert third == [0, 0, 1, 5]
    assert {pid for _, pid in first} <= set(pids) and pids[0] in {pid for _, pid in first}
    assert seen == [None, None, 3]  # what the first trains, it trains alone; they share the cores


@pytest.mark.parametrize(
    ("work", "said"), [("refuse", "Found 8."), ("die", "A process of torchrun was killed")]
)
def test_what_fails_in_another_is_said_by_the_first(work: str, said: str, tmp_path: Path) -> None:
    words = ("share", "--out", str(tmp_path / "out"), "--work", work)
    with started(__name__, 3, *words) as running:
        assert running[0].wait(120) == 2
        assert running[0].stderr is not None
        assert said in running[0].stderr.read()
        ends = sorted(process.wait(120) for process in running[1:])
        assert ends == ([-signal.SIGKILL, 0] if work == "die" else [0, 0])
    assert not list(tmp_path.iterdir())


def test_the_first_does_not_wait_for_ever(tmp_path: Path) -> None:
    words = ("share", "--out", str(tmp_path / "out"), "--patience", "1")
    with started(__name__, 2, *words, only=1) as (first,):
        assert first.wait(120) == 2
        assert first.stderr is not None
        assert "did not find each other in 1 seconds" in first.stderr.read()


def test_training_runs_in_all(tmp_path: Path) -> None:
    with started(__name__, 2, "train", "--out", str(tmp_path / "rank")) as running:
        assert [process.wait(120) for process in running] == [0, 0]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "rank0": "2",
        "rank1": "2",
    }


if __name__ == "__main__":
    from tests.refine_core.app.processes import test_ranks as here

    if "--patience" in sys.argv:
        ranks.PATIENCE = float(sys.argv.pop())
        sys.argv.pop()
    try:
        rc.commands("refine tests", {"share": here.share, "train": here.train}, sys.argv[1:])
    except InputError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
