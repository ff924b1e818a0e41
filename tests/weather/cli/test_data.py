"""The bundled sample as files of one's own."""

import errno
import shutil
from pathlib import Path

import pytest

from refine_core.app.cli import main


def test_the_sample_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left", str(target))

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(shutil, "copyfile", full)
        main(["weather", "sample", "--out", str(tmp_path / "s")])
    assert not (tmp_path / "s").exists()
    main(["weather", "sample", "--out", str(tmp_path / "s")])
    assert len(list((tmp_path / "s").iterdir())) == 3
