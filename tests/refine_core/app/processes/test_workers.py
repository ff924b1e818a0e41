"""A function over processes: results in order, mistakes, and what is left when all is stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from refine_core.app.processes import workers
from refine_core.app.processes.workers import map_in_workers
from refine_core.errors import InputError

R = TypeVar("R")
INTERRUPTED = """
import signal
import sys
from functools import partial
from pathlib import Path
from refine_core.app.processes.workers import map_in_workers
from tests.refine_core.app.processes.test_workers import linger

signal.signal(signal.SIGINT, signal.default_int_handler)  # else a job's of a shell is off
list(map_in_workers(partial(linger, Path(sys.argv[1])), range(4), 4, 2))
"""


def squared(number: int) -> tuple[int, int]:
    print("what is printed is no result")
    return number**2, os.getpid()


def refuse(number: int) -> int:
    if number == 0:
        raise InputError("Found 0.")
    return number


def fail(number: int) -> float:
    return 1 / number


def die(number: int) -> int:
    if number == 0:  # which another process takes
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def linger(folder: Path, number: int) -> int:
    """Say that this process is there, and stay."""
    (folder / str(os.getpid())).touch()
    time.sleep(600)
    return number


def mapped(work: Callable[[int], R], many: workers.Workers, count: int = 7) -> list[R]:
    return list(map_in_workers(work, iter(range(count)), count, many))


@pytest.mark.parametrize("many", [1, 2, "auto"])
def test_results_come_in_order(many: workers.Workers) -> None:
    numbers, processes = zip(*mapped(squared, many), strict=True)
    assert numbers == (0, 1, 4, 9, 16, 25, 36)
    assert os.getpid() in processes and len(set(processes)) == (2 if many == 2 else 1)
    assert mapped(squared, many, count=0) == []


def test_folders_in_the_current_one_are_no_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a package called graphs or images, or a copy of ours, is not in the way."""
    (tmp_path / "refine_core").mkdir()
    (tmp_path / "refine_core" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    assert [number for number, _ in map_in_workers(squared, range(3), 3, 2)] == [0, 1, 4]


def test_auto_starts_processes_for_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(workers.VARIABLE, "2")
    monkeypatch.setattr(workers, "WORTHWHILE", -1.0)
    numbers, processes = zip(*mapped(squared, "auto"), strict=True)
    assert numbers == (0, 1, 4, 9, 16, 25, 36)
    assert processes[0] == os.getpid() and len(set(processes)) == 2
    monkeypatch.setattr(workers, "WORTHWHILE", 60.0)
    assert {process for _, process in mapped(squared, "auto")} == {os.getpid()}


@pytest.mark.parametrize("many", [1, 2])
def test_a_mistake_in_a_worker_is_that_of_the_caller(many: int) -> None:
    with pytest.raises(InputError, match=r"^Found 0\.$"):
        mapped(refuse, many)


def test_an_error_in_a_worker_says_where_it_was() -> None:
    with pytest.raises(RuntimeError, match=r"in fail[\s\S]*ZeroDivisionError"):
        mapped(fail, 2)


def test_a_killed_worker_gives_one_sentence() -> None:
    with pytest.raises(InputError, match="A worker process was killed, .* give --workers 1"):
        mapped(die, 2)


def test_numbers_of_workers_that_cannot_be() -> None:
    with pytest.raises(InputError, match="Found 0 workers, expected a whole number above 0"):
        mapped(squared, 0)
    with pytest.raises(InputError, match="Found 2 workers for a model on cuda, expected 1"):
        list(map_in_workers(squared, range(3), 3, 2, device="cuda"))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent(tmp_path: Path, end: signal.Signals) -> None:
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    parent = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE)
    try:
        waited(lambda: len(list(tmp_path.iterdir())) == 2)
        parent.send_signal(end)
        waited(lambda: parent.poll() is not None)
        waited(lambda: not any(map(lives, tmp_path.iterdir())))
    finally:
        parent.kill()
        parent.communicate()


def waited(happens: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something."""
    last = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < last
        time.sleep(0.05)


def lives(name: Path) -> bool:
    """Whether the process with the number that a file is named by is there."""
    try:
        os.kill(int(name.name), 0)
    except ProcessLookupError:
        return False
    return True
