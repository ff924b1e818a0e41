"""Trainings that take a given time: the pace is measured, and the number of epochs follows.

The length is settled before the training starts, so that this is like any other: it can be
resumed, and repeated with the same number of epochs on another machine.
"""

import copy
import time
from dataclasses import dataclass, replace

import torch

from refine_core.training.callbacks import Callback
from refine_core.training.config import Optimisation
from refine_core.training.data import Data, Subset
from refine_core.training.loop import Validate, fit
from refine_core.training.state import Module, TrainState

WARMUP, MEASURED = 3, 9
"""Steps that are not timed, since kernels are chosen in them, and that are."""
PATIENCE, VALIDATING = 0.1, 0.15
"""Shares of the time that may go into measuring the pace, and into validation."""


@dataclass(frozen=True)
class Pace:
    """How long the parts of a training take.

    Args:
        step: Seconds of a step.
        validation: Seconds of a validation; 0 without.
    """

    step: float
    validation: float = 0.0

    @classmethod
    def of(
        cls,
        module: Module,
        data: Data[object],
        opt: Optimisation,
        within: float,
        validate: Validate[Module] | None = None,
    ) -> "Pace":
        """Measure a training on its first samples; the module is left as it is.

        Args:
            module: What is to be trained.
            data: Samples; only a batch of them is used.
            opt: The settings of the training.
            within: Seconds that the training may take; measuring takes a tenth at most, but for
                the first steps.
            validate: As of `refine_core.training.fit`.
        """
        clock: _Clock[Module] = _Clock(within * PATIENCE)
        steps = WARMUP + MEASURED
        short = replace(opt, epochs=steps, warmup=0.0, learning_rate=0.0)
        batch = Subset(data, opt.batch)  # not all of the beginning
        fitted, _ = fit(copy.deepcopy(module), batch, short, seed=0, callbacks=[clock], quiet=True)
        validation = 0.0
        if validate is not None:
            started = time.monotonic()
            with torch.no_grad():
                validate(fitted)
            validation = time.monotonic() - started
        agreed = [cls(clock.step, validation)]
        if torch.distributed.is_initialized():  # the processes of a run have one length
            torch.distributed.broadcast_object_list(agreed)
        return agreed[0]


@dataclass(frozen=True)
class Length:
    """How long a training is.

    Args:
        epochs: Their number.
        count: Samples to learn from.
        validations: How often the training is validated, at most.
    """

    epochs: int
    count: int
    validations: int


def affordable(pace: Pace, within: float, *, count: int, batch: int, validations: int) -> Length:
    """The longest training that fits into a time; of fewer samples if one epoch of all does not.

    >>> affordable(Pace(0.1, 1.0), 60, count=1000, batch=10, validations=10)
    Length(epochs=5, count=1000, validations=9)
    >>> affordable(Pace(0.1, 1.0), 60, count=10**6, batch=10, validations=10)
    Length(epochs=1, count=5900, validations=1)

    Args:
        pace: Of the training.
        within: Seconds.
        count: Samples.
        batch: Of these in a step.
        validations: At most; fewer if they take more than `VALIDATING` of the time.
    """
    if pace.validation:
        validations = min(validations, max(1, int(within * VALIDATING / pace.validation)))
    epoch = count // batch * pace.step
    epochs = int((within - validations * pace.validation) / epoch) if epoch else 1
    if epochs > 0:
        return Length(epochs, count, validations)
    steps = max(1, round((within - pace.validation) / pace.step))
    return Length(1, min(count, steps * batch), 1)


class _Clock(Callback[Module]):
    """Times steps; an epoch is one."""

    def __init__(self, patience: float) -> None:
        self.patience, self.times = patience, [time.monotonic()]

    def end_epoch(self, state: TrainState[Module]) -> bool:
        self.times.append(time.monotonic())
        timed = len(self.times) - 1 - WARMUP
        return timed > 0 and self.times[-1] - self.times[0] > self.patience

    @property
    def step(self) -> float:
        """Seconds of a step, of those that are timed."""
        timed = self.times[WARMUP:]
        return (timed[-1] - timed[0]) / (len(timed) - 1)
