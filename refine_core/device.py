"""The device that networks run on: one name, with one meaning for commands, models and training.

"auto" is the device that `using_device` asks for around a call; without it a CUDA device if there
is one, else MPS, else the CPU. Random numbers follow from names (`refine_core.noise`), so results
on all devices agree up to rounding.
"""

import functools
import inspect
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from refine_core.config.ranges import admitting
from refine_core.errors import InputError

if TYPE_CHECKING:
    import torch

VARIABLE = "REFINE_DEVICE"
"""Environment variable that has the device asked for: processes that are started inherit it."""
EXPECTED = "auto, cpu, cuda, mps, or one of several as cuda:1"
_NAMES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")

Device = Annotated[str, admitting(lambda name: bool(_NAMES.fullmatch(name)), EXPECTED)]
"""Name of a device, for `find_device`."""


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
    before = os.environ.get(VARIABLE)
    if name != "auto":
        os.environ[VARIABLE] = str(find_device(name))
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def on_device(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option `--device`; all that it loads and trains is there."""

    @functools.wraps(command)
    def run(*args: object, device: Device = "auto", **options: object) -> None:
        with using_device(device):
            command(*args, **options)

    own = inspect.Parameter("device", inspect.Parameter.KEYWORD_ONLY, default="auto")
    signature = inspect.signature(command)
    parameters = [*signature.parameters.values(), own]
    said = f"device: Where networks run: {EXPECTED}; auto is the fastest kind there is."
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    run.__annotations__ = {**command.__annotations__, "device": Device}
    run.__doc__ = f"{inspect.getdoc(command)}\n    {said}"
    return run
