"""Commands that are killed, find a full disk or a folder that cannot be written to."""

import csv
import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from refine_core.app.cli import main
from tests.kills.jobs import JOBS, Job

ROOT = Path(__file__).parents[2]
KILLS = 20
TIMED = ("last.safetensors", "curves.png", "report.html")
"""Files that say how long something took."""
TIMES = {"seconds", "seconds_per_step", "seconds_per_image", "ms", "least", "most", "load"}
"""Keys of tables and JSON that do."""
WHOLE = ("model.safetensors", "REPORT.md", "report.html", "results.json")
"""Files that say that a command has ended."""
UNFINISHED = ("run.json", "metrics.csv", "metrics.json")
"""Whole files that grow."""


def content(folder: Path) -> dict[str, bytes]:
    """Files by name, hidden ones too."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def same(first: Path, second: Path, timed: tuple[str, ...] = ()) -> None:
    """Two folders hold the same files, but for times."""
    one, other = content(first), content(second)
    assert one.keys() == other.keys()
    for name in one:
        if not name.endswith((*TIMED, *timed)):
            assert untimed(name, one[name]) == untimed(name, other[name]), name


def untimed(name: str, found: bytes) -> Any:
    """What a file holds, without times."""
    if name.endswith("metrics.csv"):
        rows = csv.DictReader(found.decode().splitlines())
        return [{key: x for key, x in row.items() if key not in TIMES} for row in rows]
    return _untimed(json.loads(found)) if name.endswith(".json") else found


def _untimed(value: Any) -> Any:
    if isinstance(value, list):
        return [_untimed(each) for each in value]
    if isinstance(value, dict):
        return {key: _untimed(each) for key, each in value.items() if key not in TIMES}
    return value


def prepared(folder: Path, job: Job) -> Path:
    """A folder with what a job reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, each in job.files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(each)
    return folder


def start(job: Job, folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "refine_core.app.cli", *job.argv]
    caches = {"REFINE_CACHE": str(folder.parent / f"{folder.name}-cache")}
    caches |= {"XDG_CACHE_HOME": caches["REFINE_CACHE"]}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **caches}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=quiet, stderr=quiet)


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_killed_at_random_a_command_ends_as_if_undisturbed(name: str, tmp_path: Path) -> None:
    job, chance = JOBS[name], random.Random(name)
    whole, killed = (prepared(tmp_path / each, job) for each in ("whole", "killed"))
    begun = time.monotonic()
    assert start(job, whole).wait() == 0
    length = time.monotonic() - begun
    final = content(whole)
    for _ in range(KILLS):
        process = start(job, killed)
        time.sleep(length * chance.uniform(0.3, 1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = content(killed)
        for path in final.keys() & found.keys():
            if not path.endswith((*TIMED, *job.timed, *UNFINISHED)):
                assert untimed(path, found[path]) == untimed(path, final[path]), path
    assert start(job, killed).wait() == 0
    same(whole, killed, job.timed)


@contextmanager
def forked(at: int) -> Iterator[int]:
    """Yield 0 in a copy of this process that is killed as it brings file number `at` to the disk.

    In this process, yields the copy's number, and waits for its end.
    """
    copy = os.fork()
    if copy:
        yield copy
        return
    synchronise, count = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        synchronise(descriptor)

    try:
        with patch("os.fsync", fsync):
            yield 0
    finally:
        os._exit(0)


def run(job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for variable in ("REFINE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(folder.parent / f"{folder.name}-cache"))
    main(list(job.argv))


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_killed_as_it_writes_a_training_ends_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = JOBS["train images"]
    whole, killed = (prepared(tmp_path / each, job) for each in ("whole", "killed"))
    run(job, whole, monkeypatch)
    for at in (2, 9):
        with forked(at) as copy:
            if not copy:
                run(job, killed, monkeypatch)
        assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == -signal.SIGKILL
    assert any(name.rpartition("/")[2].startswith(".") for name in content(killed))
    run(job, killed, monkeypatch)
    same(whole, killed, job.timed)


SLOW = ("study", "simulate")
"""Commands that take more than half a minute."""
QUICK = [pytest.param(x, marks=pytest.mark.slow if x in SLOW else ()) for x in JOBS]


@pytest.mark.parametrize("name", QUICK)
def test_a_full_disk_ends_in_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = JOBS[name]

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = content(prepared(tmp_path / "here", job))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SystemExit) as end:
        run(job, tmp_path / "here", monkeypatch)
    said = capsys.readouterr().err
    assert end.value.code == 2 and "Traceback" not in said
    assert "refine: the disk is full, " in said and "was not written; free some space" in said
    new = content(tmp_path / "here").keys() - before.keys()
    assert all(path.startswith((f"{job.out}.partial", "runs")) for path in new), new
    assert not (tmp_path / "here" / job.out).is_file()


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """A file system of its own in a folder; the test is left out where none can be mounted."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("size=16k", "refine: (the disk is full|.* left: ask for fewer)"),
        ("ro", r"refine: .*cannot be written to \(Read-only file system\)"),
    ],
)
def test_a_disk_that_takes_nothing_ends_in_a_sentence(
    name: str,
    options: str,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = JOBS[name]
    here, disk = prepared(tmp_path / "here", job), tmp_path / "disk"
    argv = (*job.argv[:-1], str(disk / job.out))
    if job.out == "runs":  # neither the folder of all runs nor that of prepared data is an option
        folder = tmp_path / "here-cache" if name == "prepare" else here / "runs"
        folder.symlink_to(disk)
        argv = job.argv
    with small_disk(disk, options):
        if options != "ro":
            (disk / "ballast").write_bytes(b"x" * 4096 * 3)  # a block is left, for the lock
        with pytest.raises(SystemExit) as end:
            run(Job(argv, job.files, job.out), here, monkeypatch)
        left = content(disk).keys() - {"ballast"}
        assert not [name for name in left if name.endswith((*WHOLE, job.out))], left
    assert end.value.code == 2
    assert re.match(expected, capsys.readouterr().err.splitlines()[-1])
