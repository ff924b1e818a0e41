"""Checkpoints: tensors and what they mean in one safetensors file, without pickle.

The header holds, as JSON, the format and its version, the kind of checkpoint (`images.model`,
`training`), the resolved config, the versions of the packages that wrote it, and a checksum of
header and tensors. A file that would be misread is refused.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write

FORMAT = "refine"
VERSION = 1
DIGEST = "sha256"
"""Entry of the header's JSON that holds the checksum."""
LARGE = 4096
"""Entries that a matrix has at least for `small` to store it in int8."""
UNIT = ":unit"
"""Suffix of the name of the tensor that an int8 tensor is multiplied by."""
REMEDY = "fetch another copy, or train it again"


@dataclass(frozen=True)
class Checkpoint:
    """What `load` returns."""

    tensors: dict[str, Tensor]
    """On the CPU, shapes and dtypes as saved (float32 where saved with `half`)."""
    meta: dict[str, object]
    """`format`, `version`, `kind`, `config`, `versions`, and whatever else the writer noted."""


def save(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    meta: Mapping[str, object],
    *,
    half: bool = False,
    small: bool = False,
) -> None:
    """Write a checkpoint, atomically.

    Args:
        path: The file, by custom `*.safetensors`.
        tensors: Any shapes, dtypes and devices; tensors that share memory are written in full.
        meta: JSON values; `kind` and `config` are required.
        half: Whether to store floating-point tensors in float16, to be read back as float32. A
            tensor with a value outside of float16's range (65504) stays as it is.
        small: Whether to store matrices `*.weight` of 4096 entries or more in int8, in units of
            1 / 127 of a row's largest, to be read back as float32; others are left to `half`.
            Kernels of convolutions are few and lose more by it than all matrices together.

    Raises:
        OSError: The file cannot be written; what stood there is untouched.
    """
    assert {"kind", "config"} <= meta.keys(), "a checkpoint names its kind and its config"
    about = {"format": FORMAT, "version": VERSION, "half": half, "versions": versions()}
    plain: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if small and _is_large(name, tensor):
            plain[name], plain[name + UNIT] = _in_bytes(tensor)
        else:
            plain[name] = _plain(tensor, half)
    header = {**meta, **about}
    # One entry only: safetensors writes several in any order, and equal files should be equal.
    whole = json.dumps({**header, DIGEST: _digest(json.dumps(header), plain)})
    content = serialise(plain, {FORMAT: whole})
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def load(path: str | Path, kind: str, *, remedy: str = REMEDY) -> Checkpoint:
    """Read a checkpoint of one kind.

    Args:
        path: The file.
        kind: The kind that is expected.
        remedy: What the user can do if the file is damaged; completes the sentence of the error.

    Raises:
        InputError: There is no file, or it is damaged, foreign, of another kind, or of a later
            format.
    """
    path = Path(path)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(
            f"Checkpoint {path} {found}, expected the file of a checkpoint: check the path."
        )
    try:
        with safe_open(path, framework="pt") as file:
            meta = _meta(path, file.metadata() or {}, kind, remedy)
            # Copies, for the file itself may not be written to, and may be replaced.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
    except SafetensorError:
        raise InputError(f"{path} {_damage(path, remedy)}") from None
    if (noted := meta.pop(DIGEST, None)) and noted != _digest(json.dumps(meta), tensors):
        raise InputError(f"{path} is damaged: {remedy}.")
    if meta.get("half"):
        tensors = {n: t.float() if t.dtype == torch.float16 else t for n, t in tensors.items()}
    for name in [name for name in tensors if name + UNIT in tensors]:
        tensors[name] = tensors[name] * tensors.pop(name + UNIT)
    return Checkpoint(tensors, meta)


def load_into(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load a state dict that must fit name by name and shape by shape.

    Raises:
        InputError: It does not; names the first entries that are missing, unexpected or of
            another shape.
    """
    own = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    faults = {
        "missing": [name for name in own if name not in given],
        "unexpected": [name for name in given if name not in own],
        "of another shape": [
            f"{name} {given[name]} instead of {shape}"
            for name, shape in own.items()
            if given.get(name, shape) != shape
        ],
    }
    said = "; ".join(
        f"{len(names)} {fault} ({_few(names)})" for fault, names in faults.items() if names
    )
    if said:
        raise InputError(
            f"The checkpoint does not fit the {type(module).__name__}: of its tensors {said}. "
            "Build the model from the config it was saved with."
        )
    module.load_state_dict(tensors)


def load_matching(module: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """Load the entries of a state dict whose names and shapes agree, to train on from there.

    Returns:
        The names of the module's entries that are left as they are.
    """
    own = module.state_dict()
    taken = {n: t for n, t in tensors.items() if n in own and own[n].shape == t.shape}
    module.load_state_dict({**own, **taken})
    return sorted(own.keys() - taken.keys())


def _plain(tensor: Tensor, half: bool) -> Tensor:
    """Copy to memory of its own on the CPU, in C order, in float16 if asked for and possible."""
    tensor = tensor.detach().cpu()
    if half and tensor.is_floating_point():
        short = tensor.to(torch.float16)
        if torch.equal(short.isfinite(), tensor.isfinite()):
            tensor = short
    return tensor.clone(memory_format=torch.contiguous_format)


def _is_large(name: str, tensor: Tensor) -> bool:
    matrix = name.endswith(".weight") and tensor.ndim == 2 and tensor.numel() >= LARGE
    return matrix and tensor.is_floating_point() and bool(tensor.isfinite().all())


def _in_bytes(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Entries as multiples of a unit, int8, and the units, one per entry of the first axis."""
    tensor = tensor.detach().cpu().float()
    unit = tensor.abs().amax(tuple(range(1, tensor.ndim)), keepdim=True).clamp_min(1e-30) / 127
    return (tensor / unit).round().to(torch.int8), unit


def _digest(header: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the header's JSON and of the tensors' names, dtypes, shapes and bytes."""
    found = hashlib.sha256(header.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _meta(path: Path, header: Mapping[str, str], kind: str, remedy: str) -> dict[str, object]:
    """Read the header, or refuse it."""
    if FORMAT not in header:
        raise InputError(
            f"{path} is a safetensors file that refine did not write: give a checkpoint of refine."
        )
    try:
        meta = json.loads(header[FORMAT])
        version, found, by = int(meta["version"]), meta["kind"], meta["versions"]["refine"]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise InputError(f"{path} is damaged in its header: {remedy}.") from None
    if version > VERSION:
        raise InputError(
            f"{path} has format {version}, written by refine {by}; this one reads formats up to "
            f"{VERSION}: upgrade refine."
        )
    if found != kind:
        raise InputError(
            f"{path} is a checkpoint of kind {found!r}, expected {kind!r}: give another file."
        )
    return dict(meta)


def _damage(path: Path, remedy: str) -> str:
    """Say why safetensors cannot read a file, which starts with eight bytes and a JSON object."""
    with path.open("rb") as file:
        start = file.read(9)
    if not start:
        return f"is empty, expected a checkpoint: {remedy}."
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") < 100_000_000:
        return f"is cut short or damaged: {remedy}."
    return "is not a checkpoint: expected a safetensors file that refine wrote."


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    names = ("refine", "torch", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in names}
