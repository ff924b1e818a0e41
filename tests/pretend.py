"""A device in name only: shows on the CPU what would fail or wait on an accelerator.

Tensors that are moved to `DEVICE` are computed on the CPU, and say that they are elsewhere. As on
an accelerator, an operation refuses tensors of two devices, and what makes the host wait for the
device is counted.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")
"""A name that torch knows everywhere and that no code of ours asks for."""
VALUES = {"_local_scalar_dense", "nonzero", "_unique2", "masked_select", "bincount", "equal"}
"""Operations for whose values, or number of values, the host waits."""
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}
COPIES = {"_to_copy", "copy_"}


class Pretended(Tensor):
    """A tensor on the pretended device; `held` has its values."""

    held: Tensor

    @staticmethod
    def __new__(cls: type[Self], held: Tensor) -> Self:  # noqa: ANN001,PYI019
        made: Self = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Pretended({self.held})"

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: object, args: Any = (), kwargs: Any = None
    ) -> object:
        return _run(func, args, kwargs or {}, Counter())


@contextmanager
def pretend(*, float64: bool = True) -> Iterator[Counter[str]]:
    """Let the device be there, and count how often each operation makes the host wait.

    Args:
        float64: Whether the device knows numbers of double precision.
    """
    waits = Counter[str]()
    with _Functions(waits), _Operations(waits, float64):
        yield waits


class _Functions(TorchFunctionMode):
    """Functions that do not pass through operations."""

    def __init__(self, waits: Counter[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(
        self, func: Any, types: object, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and not isinstance(args[0], Tensor):
            device = kwargs.pop("device", "cpu")
            return func(*args, **kwargs).to(device)
        if func is Tensor.tolist and isinstance(args[0], Pretended):
            self.waits["tolist"] += 1
            return args[0].held.tolist()
        return func(*args, **kwargs)


class _Operations(TorchDispatchMode):
    """All other operations."""

    def __init__(self, waits: Counter[str], float64: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits, self.float64 = waits, float64

    def __torch_dispatch__(
        self, func: Any, types: object, args: Any = (), kwargs: Any = None
    ) -> object:
        return _run(func, args, kwargs or {}, self.waits, float64=self.float64)


def _run(
    func: Any, args: Any, kwargs: dict[str, Any], waits: Counter[str], *, float64: bool = True
) -> object:
    """Compute on the CPU; the result is on the device of what was given, or on that asked for."""
    name = func.overloadpacket.__name__
    given = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Tensor)]
    there = [each for each in given if isinstance(each, Pretended)]
    asked = kwargs.get("device")
    onto = bool(there) if asked is None else torch.device(asked) == DEVICE
    if name == "copy_":
        onto = isinstance(given[0], Pretended)
    if there and name not in COPIES:
        _check(name, given)
    masks = name in INDEXING and any(each.dtype == torch.bool for each in given[1:])
    if there and (name in VALUES or masks or (name in COPIES and not onto)):
        waits[name] += 1
    if asked is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    plain, named = tree_map(lambda x: x.held if isinstance(x, Pretended) else x, (args, kwargs))
    out = func(*plain, **named)

    def placed(x: object) -> object:
        same = [each for each in given if x is getattr(each, "held", each)]
        if same or not isinstance(x, Tensor) or not onto:
            return same[0] if same else x
        if not float64 and x.dtype == torch.float64:
            raise TypeError(f"{name}: this device has no numbers of double precision.")
        return Pretended(x)

    return tree_map(placed, out)


def _check(name: str, given: list[Tensor]) -> None:
    """Refuse tensors of two devices; one number may be on the CPU, and so may what indexes."""
    here = [each for each in given if not isinstance(each, Pretended) and each.ndim]
    if here and (name not in INDEXING or not isinstance(given[0], Pretended)):
        shapes = ", ".join(str(tuple(each.shape)) for each in here)
        raise RuntimeError(f"{name}: expected tensors of one device, found {shapes} on the CPU")
