"""Whether a checkpoint is intact, found without torch, whose import takes longer than hashing."""

import hashlib
import json
from base64 import urlsafe_b64encode
from importlib.metadata import files
from pathlib import Path

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
"""Types of safetensors files by the names that torch gives them."""


def intact(path: Path) -> bool | None:
    """Whether header and tensors of a checkpoint have the SHA-256 that the header notes.

    It is that of `refine_core.storage.checkpoint`, which compares it when a file is loaded. None
    where the header, of an early version, notes none.
    """
    try:
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:start])
        meta = json.loads(header.pop("__metadata__")["refine"])
        noted = meta.pop("sha256", None)
        found = hashlib.sha256(json.dumps(meta).encode())
        for name, tensor in sorted(header.items()):
            kind, shape = DTYPES[tensor["dtype"]], tuple(tensor["shape"])
            first, end = tensor["data_offsets"]
            if start + end > len(content):
                return False
            found.update(f"{name} torch.{kind} {shape}\n".encode())
            found.update(memoryview(content)[start + first : start + end])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return None if noted is None else found.hexdigest() == noted


def as_installed(path: Path, distribution: str) -> bool | None:
    """Whether a file has the SHA-256 with which a wheel brought it; None if no wheel did."""
    for each in files(distribution) or []:
        if each.hash is not None and each.name == path.name and each.locate() == path:
            found = urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
            return found.rstrip(b"=").decode() == each.hash.value
    return None
