import errno
import hashlib
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from refine_core.errors import InputError
from refine_core.storage.files import (
    atomic_write,
    cached,
    digest,
    finite,
    read_json,
    replace_folder,
    sha256,
    write_json,
    write_text,
)

OLD = "what stood there"


def full_disk(temporary: Path, _: pytest.MonkeyPatch) -> None:
    temporary.symlink_to("/dev/full")
    temporary.write_bytes(b"x" * 100_000)


def full_at_sync(temporary: Path, patch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(os, "fsync", fsync)
    temporary.write_text("new")


def cut_short(temporary: Path, patch: pytest.MonkeyPatch) -> None:
    """Fail after half of the content has been written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        temporary.write_bytes(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def interrupted(temporary: Path, _: pytest.MonkeyPatch) -> None:
    temporary.write_text("half of")
    raise KeyboardInterrupt


def forgotten(temporary: Path, _: pytest.MonkeyPatch) -> None:
    """Write nothing at all."""


FAILURES = [full_disk, full_at_sync, cut_short, interrupted, forgotten]


@pytest.mark.parametrize("fail", FAILURES)
@pytest.mark.parametrize("existed", [True, False])
def test_failure_leaves_what_stood_there_and_nothing_else(
    fail: Callable[[Path, pytest.MonkeyPatch], None],
    existed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "file.txt"
    if existed:
        path.write_text(OLD)
    with pytest.raises((OSError, KeyboardInterrupt)) as caught, atomic_write(path) as temporary:
        fail(temporary, monkeypatch)
    assert os.listdir(tmp_path) == (["file.txt"] if existed else [])
    assert not existed or path.read_text() == OLD
    if isinstance(caught.value, OSError):
        assert caught.value.filename == str(path)
        assert str(path) in str(caught.value)


def test_another_files_error_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, atomic_write(tmp_path / "out"):
        (tmp_path / "missing").read_text()
    assert caught.value.filename == str(tmp_path / "missing")


def test_reader_sees_the_old_file_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file.txt"
    write_text(path, OLD)
    with atomic_write(path) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == path.suffix
        temporary.write_text("new")
        assert path.read_text() == OLD
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file.txt"]


def test_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    write_text(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == plain.stat().st_mode


def test_folder_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    with pytest.raises(OSError):
        write_text(tmp_path / "x", "text")
    assert os.listdir(tmp_path) == ["x"]


def test_json_reads_back(tmp_path: Path) -> None:
    value = {"é": [1, 2.5, None, True], "b": {"c": "ü"}}
    write_json(tmp_path / "x.json", value)
    assert json.loads((tmp_path / "x.json").read_text("utf-8")) == value


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "x").write_bytes(content)
    assert sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_digests_are_those_of_the_bytes_joined() -> None:
    arrays = [np.arange(6).reshape(2, 3)[:, ::2], np.zeros((0, 2)), np.array(["2020"], "M8[D]")]
    expected = hashlib.sha256(b"ab" + b"".join(array.tobytes() for array in arrays))
    assert digest("a", b"b", *arrays) == expected.hexdigest()[:16]


def test_json_has_null_for_what_is_no_number(tmp_path: Path) -> None:
    write_json(
        tmp_path / "a.json", finite({"rows": ({"x": float("nan")}, [float("inf"), 1.5, True])})
    )
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "rows": [{"x": None}, [None, 1.5, True]]
    }


@pytest.mark.parametrize("content", [b"{", b"\xff", b"", b"[]"])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match="a.json is damaged: delete it.$"):
        read_json(tmp_path / "a.json", dict, "delete it")


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    path, made = tmp_path / "a.npy", []

    def write(path: Path) -> None:
        made.append(path)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.save(file, np.arange(1000))

    assert len(cached(path, np.load, write)) == len(cached(path, np.load, write)) == 1000
    assert len(made) == 1
    path.write_bytes(path.read_bytes()[:-100])
    assert len(cached(path, np.load, write)) == 1000 and len(made) == 2


def test_a_folder_takes_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, own = tmp_path / "a", tmp_path / "a.old"
    for folder in (path, own, tmp_path / "new"):
        folder.mkdir()
        (folder / folder.name).touch()
    replace_folder(tmp_path / "new", path)
    assert [each.name for each in path.iterdir()] == ["new"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "a.old"], "the user's stays"
    with pytest.raises(OSError):
        replace_folder(tmp_path / "none", path)
    assert [each.name for each in path.iterdir()] == ["new"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "a.old"]
