"""Two processes do not write one output; a killed one holds nobody up, and leaves nothing."""

import os
import signal
from pathlib import Path

import pytest

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write, temporary_name
from refine_core.storage.lock import OutputLock, run_lock
from tests.refine_core.storage.holder import holder


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_second_process_is_told_of_the_first(kind: str, tmp_path: Path) -> None:
    output = tmp_path / "new" / "out.smi"
    lock = OutputLock(output, folder=kind == "folder")
    with holder(output, kind) as other:
        with pytest.raises(InputError) as caught, lock:
            pass
        said = str(caught.value)
        assert said.startswith(f"Another process is writing {output}: wait until process ")
        assert f"process {other.pid} (`-c {output} {kind}`) ends" in said
        with OutputLock(output.with_name("other.smi"), folder=False):
            pass  # another output
        other.communicate()
    with lock:
        pass


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_killed_process_holds_nobody_up_and_its_litter_is_removed(
    kind: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    with holder(output, kind) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    assert [path for path in tmp_path.rglob(".*-*") if path.is_file()]
    with OutputLock(output, folder=kind == "folder"):
        files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
        assert files == [".lock" if kind == "folder" else ".out.lock"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_one_process_may_hold_an_output_twice(tmp_path: Path) -> None:
    inner, outer = (OutputLock(tmp_path / "x.zarr", folder=False) for _ in range(2))
    with outer:
        inner.acquire()
        inner.release()
        inner.release()  # is not held any more
        assert [path.name for path in tmp_path.iterdir()] == [".x.zarr.lock"]
    assert not list(tmp_path.iterdir())


def test_what_others_write_is_left_alone(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("half")
        foreign = temporary_name(tmp_path / "b")
        foreign = foreign.with_name(foreign.name.replace(foreign.name[1:9], "0" * 8))
        foreign.write_text("of another machine")
        with OutputLock(tmp_path, folder=True):
            pass
        assert temporary.exists() and foreign.exists()


def test_folders_that_were_made_for_nothing_are_removed(tmp_path: Path) -> None:
    with OutputLock(tmp_path / "a" / "b", folder=True):
        assert (tmp_path / "a" / "b").is_dir()
    assert not (tmp_path / "a").exists()


def test_of_several_processes_of_one_training_the_first_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holder(tmp_path, "folder"):
        with pytest.raises(InputError, match="Another process"), run_lock(tmp_path):
            pass
        monkeypatch.setenv("RANK", "1")
        monkeypatch.setenv("WORLD_SIZE", "2")
        with run_lock(tmp_path):
            pass
