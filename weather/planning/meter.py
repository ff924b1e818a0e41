"""Computations whose memory and operations are counted, if need be without any values."""

import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import flop_registry

_ASKED, _FOUND = torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default
_COUNTS = torch.ops.aten.bincount.default


class Meter(TorchDispatchMode):
    """Context manager that counts the living tensors made in it, and operations.

    Attributes:
        now: Bytes of tensors that live.
        peak: The most that they have been.
        operations: Floating-point operations of products and convolutions.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = self.operations = 0
        self._bytes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute as without the meter, and count."""
        made = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.operations += formula(*args, **(kwargs or {}), out_val=made)
        for each in tree_iter(made):
            if isinstance(each, Tensor):
                self._count(each.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._bytes:
            self._bytes[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._forget, key).atexit = False

    def _forget(self, key: int) -> None:
        self.now -= self._bytes.pop(key)


class _Answers(TorchDispatchMode):
    """Answers one where a value is asked for that there is not; finds and counts nothing."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _ASKED and isinstance(args[0], FakeTensor):
            kind = args[0].dtype
            return True if kind == torch.bool else 1.0 if kind.is_floating_point else 1
        if func is _FOUND:
            return args[0].new_empty(0, args[0].ndim, dtype=torch.int64)
        if func is _COUNTS:
            return args[0].new_zeros(args[2] if len(args) > 2 else kwargs["minlength"])
        return func(*args, **(kwargs or {}))


@contextmanager
def without_values() -> Iterator[Meter]:
    """Count computations on the CPU whose tensors have shapes and no values, and take no memory.

    Decisions that depend on a value are taken as if it were one.
    """
    answers = _Answers()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Accessing the data pointer")  # torch's, of its copies
        with FakeTensorMode(allow_non_fake_inputs=True), answers, Meter() as meter:
            yield meter
