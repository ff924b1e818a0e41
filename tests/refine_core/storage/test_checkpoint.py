import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save as serialise
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.storage import checkpoint

META: dict[str, Any] = {"kind": "test", "config": {"width": 3, "rate": 1e-3, "sizes": [1, 2]}}
DTYPES = [
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
]


def refused(path: Path, kind: str = "test") -> str:
    with pytest.raises(InputError) as caught:
        checkpoint.load(path, kind)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3, 4)])
def test_every_dtype_and_shape_reads_back(
    dtype: torch.dtype, shape: tuple[int, ...], path: Path
) -> None:
    tensor = (torch.randn(shape) * 10).to(dtype)
    checkpoint.save(path, {"x": tensor}, META)
    back = checkpoint.load(path, "test").tensors["x"]
    assert back.dtype == dtype and back.shape == shape and torch.equal(back, tensor)


def test_views_of_one_memory_read_back_as_separate_tensors(path: Path) -> None:
    base = torch.randn(4, 6, requires_grad=True)
    views = {
        "whole": base,
        "again": base,
        "row": base[1],
        "turned": base.t(),
        "stretched": base[:, :1].expand(4, 3),
    }
    checkpoint.save(path, views, META)
    back = checkpoint.load(path, "test").tensors
    assert back.keys() == views.keys()
    for name, view in views.items():
        assert torch.equal(back[name], view.detach()), name
    back["whole"].zero_()
    assert torch.equal(back["again"], base.detach())


def test_loaded_tensors_are_independent_of_the_file(path: Path) -> None:
    checkpoint.save(path, {"x": torch.ones(1000)}, META)
    loaded = checkpoint.load(path, "test").tensors["x"]
    loaded += 1
    path.write_bytes(b"")
    assert torch.equal(loaded, torch.full((1000,), 2.0))


def test_meta_reads_back_and_names_format_and_versions(path: Path) -> None:
    checkpoint.save(path, {}, META | {"step": 7, "history": [{"loss": 0.25}]})
    meta = checkpoint.load(path, "test").meta
    assert META.items() <= meta.items()
    assert (meta["step"], meta["history"]) == (7, [{"loss": 0.25}])
    assert (meta["format"], meta["version"]) == ("refine", 1)
    versions = meta["versions"]
    assert isinstance(versions, dict) and {"python", "torch", "refine"} <= versions.keys()


def test_half_rounds_floats_only_and_reads_back_as_float32(path: Path) -> None:
    tensors = {
        "weights": torch.randn(100, 100),
        "double": torch.randn(3, dtype=torch.float64),
        "count": torch.tensor([100_000.0, 1.0]),
        "unbounded": torch.tensor([float("inf"), float("nan"), 1.0]),
        "step": torch.arange(4),
    }
    checkpoint.save(path, tensors, META, half=True)
    back = checkpoint.load(path, "test").tensors
    assert back["step"].dtype == torch.int64 and torch.equal(back["step"], tensors["step"])
    for name in ("weights", "double", "unbounded"):
        rounded = tensors[name].half().float()
        torch.testing.assert_close(back[name], rounded, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(back["count"], tensors["count"])  # 100,000 does not fit into float16
    assert path.stat().st_size < 1.2 * 2 * 100 * 100


def test_small_takes_a_byte_an_entry(path: Path) -> None:
    rows = torch.randn(100, 10, 10) * torch.logspace(-6, 6, 100)[:, None, None]
    tensors = {"a.weight": rows, "b.weight": torch.randn(7, 7), "c.bias": torch.randn(5000)}
    tensors["d.weight"] = torch.full((100, 100), float("nan"))
    checkpoint.save(path, tensors, META, small=True)
    back = checkpoint.load(path, "test").tensors
    assert back.keys() == tensors.keys()
    for name in ("b.weight", "c.bias", "d.weight"):
        torch.testing.assert_close(back[name], tensors[name], rtol=0, atol=0, equal_nan=True)
    unit = rows.abs().amax((1, 2), keepdim=True) / 127
    assert ((back["a.weight"] - rows).abs() <= 0.51 * unit).all()
    checkpoint.save(path, {"a.weight": back["a.weight"]}, META, small=True)
    again = checkpoint.load(path, "test").tensors["a.weight"]
    torch.testing.assert_close(again, back["a.weight"])  # what was rounded stays as it is


def test_without_half_float16_stays_float16(path: Path) -> None:
    checkpoint.save(path, {"x": torch.ones(2, dtype=torch.float16)}, META)
    assert checkpoint.load(path, "test").tensors["x"].dtype == torch.float16


def test_full_disk_leaves_the_old_checkpoint(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(path, {"x": torch.zeros(3)}, META)
    write = Path.write_bytes

    def to_full_disk(self: Path, content: bytes) -> int:
        self.symlink_to("/dev/full")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", to_full_disk)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, {"x": torch.ones(100_000)}, META)
    assert os.listdir(path.parent) == [path.name]
    assert torch.equal(checkpoint.load(path, "test").tensors["x"], torch.zeros(3))


def test_missing_folder_empty_and_wrong_kind(path: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nothing.safetensors")
    assert "is a folder" in refused(tmp_path)
    path.write_bytes(b"")
    assert "is empty" in refused(path)
    checkpoint.save(path, {}, META)
    assert "'test'" in (message := refused(path, "training")) and "'training'" in message


def test_foreign_files(path: Path) -> None:
    torch.save({"x": torch.ones(2)}, path)
    assert "not a checkpoint" in refused(path)
    path.write_text("epoch,loss\n1,0.5\n" * 100)
    assert "not a checkpoint" in refused(path)
    path.write_bytes(serialise({"x": torch.ones(2)}))
    assert "refine did not write" in refused(path)
    path.write_bytes(serialise({"x": torch.ones(2)}, {"format": "pt"}))
    assert "refine did not write" in refused(path)


@pytest.mark.parametrize("header", ["{", "[]", "3", "{}", '{"version": "x", "kind": "test"}'])
def test_header_that_is_not_ours_in_form(header: str, path: Path) -> None:
    path.write_bytes(serialise({"x": torch.ones(2)}, {"refine": header}))
    assert "damaged" in refused(path)


def test_a_changed_tensor_is_refused(path: Path) -> None:
    checkpoint.save(path, {"x": torch.randn(20)}, META)
    content = bytearray(path.read_bytes())
    content[-3] ^= 4  # a bit of the last number
    path.write_bytes(content)
    assert "is damaged: fetch another copy, or train it again" in refused(path)


def test_equal_checkpoints_are_equal_files(path: Path) -> None:
    meta: dict[str, object] = {"kind": "k", "config": {"a": 0.1, "b": [None, "ü"]}}
    for _ in range(10):
        checkpoint.save(path, {"x": torch.ones(3)}, meta)
        first = path.read_bytes()
        checkpoint.save(path, {"x": torch.ones(3)}, meta)
        assert path.read_bytes() == first
    assert checkpoint.load(path, "k").meta["config"] == meta["config"]


def test_checkpoints_without_a_checksum_are_read(path: Path) -> None:
    meta = META | {"version": 1, "versions": {"refine": "0.1"}}
    path.write_bytes(serialise({"x": torch.ones(2)}, {"refine": json.dumps(meta)}))
    assert torch.equal(checkpoint.load(path, "test").tensors["x"], torch.ones(2))


def test_future_format(path: Path) -> None:
    meta = META | {"version": checkpoint.VERSION + 1, "versions": {"refine": "9.9"}}
    path.write_bytes(serialise({}, {"refine": json.dumps(meta)}))
    message = refused(path)
    assert "9.9" in message and "upgrade" in message


def test_cut_at_any_place(path: Path) -> None:
    checkpoint.save(path, {"x": torch.randn(20), "y": torch.arange(3)}, META)
    content = path.read_bytes()
    header = 8 + struct.unpack("<Q", content[:8])[0]
    for length in [*range(1, 9), 9, 20, header - 1, header, header + 1, len(content) - 1]:
        path.write_bytes(content[:length])
        assert ("cut short" in refused(path)) == (length > 8), length


@given(place=st.integers(0, 400), value=st.integers(0, 255))
def test_damaged_header_is_read_or_refused(
    place: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    checkpoint.save(path, {"x": torch.randn(20)}, META)
    content = bytearray(path.read_bytes())
    content[place] = value
    path.write_bytes(content)
    try:
        checkpoint.load(path, "test")
    except InputError as error:
        assert str(path) in str(error)


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_state_dict_survives_save_and_load(path: Path) -> None:
    source, target = model(), model()
    source(torch.randn(5, 3))
    checkpoint.save(path, source.state_dict(), META)
    checkpoint.load_into(target, checkpoint.load(path, "test").tensors)
    for name, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], tensor), name


def test_state_dict_that_does_not_fit_is_refused_untouched() -> None:
    module = model()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    wrong: dict[str, Tensor] = dict(module.state_dict())
    wrong["0.weight"] = torch.ones(7, 3)
    wrong["extra"] = wrong.pop("0.bias")
    wrong["1.bias"] = torch.ones(4)
    with pytest.raises(InputError) as caught:
        checkpoint.load_into(module, wrong)
    message = str(caught.value)
    assert "1 missing (0.bias)" in message and "1 unexpected (extra)" in message
    assert "0.weight (7, 3) instead of (4, 3)" in message
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_many_missing_entries_are_abridged() -> None:
    with pytest.raises(InputError, match=r"7 missing \(0.weight, 0.bias, 1.weight, ...\)"):
        checkpoint.load_into(model(), {})
