"""Checkpoints are found intact or damaged as loading them finds it, but without torch."""

from pathlib import Path

import torch

from refine_core.storage import checkpoint
from refine_core.storage.integrity import as_installed, intact

TENSORS = {
    "a.weight": torch.randn(64, 64),
    "scalar": torch.tensor(3),
    "flags": torch.tensor([True, False]),
    "wide": torch.randn(2, 3, dtype=torch.float64),
    "short": torch.randn(5).bfloat16(),
    "empty": torch.zeros(0, 4),
}


def test_every_kind_of_tensor(tmp_path: Path) -> None:
    for half in (False, True):
        for small in (False, True):
            path = tmp_path / f"{half}{small}.safetensors"
            checkpoint.save(path, TENSORS, {"kind": "k", "config": 1.5}, half=half, small=small)
            assert intact(path)


def test_every_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, TENSORS, {"kind": "k", "config": {"learning_rate": 0.25}})
    whole = path.read_bytes()
    for damaged in (
        whole[:-1] + bytes([whole[-1] ^ 1]),
        whole.replace(b"0.25", b"0.26"),
        whole[:-1],
        whole[:100],
        b"",
        b"no checkpoint at all",
    ):
        path.write_bytes(damaged)
        assert intact(path) is False
    assert intact(tmp_path / "gone.safetensors") is False


def test_a_file_of_no_wheel(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert as_installed(tmp_path / "x", "refine") is None
