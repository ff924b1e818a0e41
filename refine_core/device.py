"""The device that networks run on, and the precision of transformers that sample.

A device has one name, with one meaning for commands, models and training. "auto" is the device
that `using_device` asks for around a call; without it a CUDA device if there is one, else MPS,
else the CPU. Random numbers follow from names (`refine_core.noise`), so results on all devices
agree up to rounding.

Trained networks run in single precision, unless `using_precision` asks for mixed precision around
a call: products of matrices in transformers are then of bfloat16. What a model says is the same
but for rounding; which codes that makes of it is another draw, of as good a law as the model's
scores in that precision say.
"""

import functools
import inspect
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Literal

from refine_core.config.ranges import admitting
from refine_core.errors import InputError

if TYPE_CHECKING:
    import torch

VARIABLE = "REFINE_DEVICE"
"""Environment variable that has the device asked for: processes that are started inherit it."""
PRECISION_VARIABLE = "REFINE_PRECISION"
"""Environment variable that has the precision asked for."""
EXPECTED = "auto, cpu, cuda, mps, or one of several as cuda:1"
_NAMES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")

Device = Annotated[str, admitting(lambda name: bool(_NAMES.fullmatch(name)), EXPECTED)]
"""Name of a device, for `find_device`."""
Precision = Literal["32-true", "bf16-mixed"]
"""Single precision, or products of matrices in bfloat16 where autocast says so."""


def find_device(name: Device = "auto") -> "torch.device":
    """The device of a name.

    Raises:
        InputError: There is no such name, or no such device here.
    """
    if name == "auto":
        name = os.environ.get(VARIABLE, "auto")
    if not _NAMES.fullmatch(name):
        raise InputError(f"Found device {name!r}, expected {EXPECTED}.")
    import torch  # here, for commands list their options without it

    count, mps = torch.cuda.device_count(), torch.backends.mps.is_available()
    if name == "auto":
        name = "cuda" if count else "mps" if mps else "cpu"
    kind, _, number = name.partition(":")
    if (kind == "cuda" and int(number or 0) >= count) or (kind == "mps" and not mps):
        known = [f"cuda:{place}" for place in range(count)] + ["mps"] * mps + ["cpu"]
        raise InputError(f"Found device {name}, which is not there: use {' or '.join(known)}.")
    return torch.device(name)


def multiplies_bfloat16(device: "torch.device") -> bool:
    """Whether a device multiplies bfloat16 natively, so that mixed precision saves time."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "mps":
        return False  # not tried
    # Earlier versions of torch do not say.
    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(known.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))


@contextmanager
def using_device(name: Device) -> Iterator[None]:
    """Let "auto" within mean this device, in this process and in those that it starts.

    Raises:
        InputError: There is no such name, or no such device here.
    """
    with _variable(VARIABLE, None if name == "auto" else str(find_device(name))):
        yield


@contextmanager
def using_precision(precision: Precision) -> Iterator[None]:
    """Let transformers in evaluation mode run in this precision, in processes started here, too.

    It is as many times faster as the device multiplies bfloat16 faster, in the part of the time
    that products of matrices take; where it does not do so natively, it is slower.
    """
    with _variable(PRECISION_VARIABLE, precision):
        yield


def precision_asked() -> Precision:
    """The precision that `using_precision` asks for."""
    return "bf16-mixed" if os.environ.get(PRECISION_VARIABLE) == "bf16-mixed" else "32-true"


def precision_context(device: "torch.device") -> AbstractContextManager[object]:
    """Mixed precision on a device, where it is asked for."""
    if precision_asked() == "32-true":
        return nullcontext()
    import torch

    return torch.autocast(device.type, torch.bfloat16)


def full_precision(device: "torch.device") -> AbstractContextManager[object]:
    """Single precision, whatever is asked for, on devices that have another."""
    import torch

    if device.type not in ("cpu", "cuda", "mps"):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


@contextmanager
def _variable(name: str, value: str | None) -> Iterator[None]:
    """Give an environment variable a value meanwhile; None leaves it as it is."""
    before = os.environ.get(name)
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


def on_device(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option `--device`; all that it loads and trains is there."""

    @functools.wraps(command)
    def run(*args: object, device: Device = "auto", **options: object) -> None:
        with using_device(device):
            command(*args, **options)

    said = f"Where networks run: {EXPECTED}; auto is the fastest kind there is."
    return with_option(run, command, "device", Device, "auto", said)


def in_precision(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option `--network-precision`, see `using_precision`."""

    @functools.wraps(command)
    def run(*args: object, network_precision: Precision = "32-true", **options: object) -> None:
        with using_precision(network_precision):
            command(*args, **options)

    said = (
        "Of products of matrices in transformers: bf16-mixed is faster where the device "
        "multiplies bfloat16 natively, and draws other samples of nearly the same law."
    )
    return with_option(run, command, "network_precision", Precision, "32-true", said)


def with_option(
    run: Callable[..., None],
    command: Callable[..., None],
    name: str,
    annotation: object,
    default: object,
    said: str,
) -> Callable[..., None]:
    """Let the signature and help of a wrapped command have one more option."""
    own = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
    signature = inspect.signature(command)
    parameters = [*signature.parameters.values(), own]
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    run.__annotations__ = {**command.__annotations__, name: annotation}
    run.__doc__ = f"{inspect.getdoc(command)}\n    {name}: {said}"
    return run
