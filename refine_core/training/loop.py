"""Training: one loop for every model of the project.

A module's `forward(batch, noise)` returns its losses; `fit` does the rest. Nothing random has a
state: the order of an epoch follows from (seed, epoch) and the random numbers of a step from
(seed, step). So a run that is resumed from any checkpoint equals one that was not interrupted.

A run over several processes, or in several parts a step (`accumulate`), equals one in a single
process and part, up to rounding, if

- "loss" is a mean over samples, or over a number of terms that the module returns as "count";
- random numbers come from `noise`. `nn.Dropout` draws from torch's global generator instead,
  of which each process has its own: then the two runs differ as runs with two seeds do;
- statistics of the batch are those of the batch of all processes, as in all quantisers; batch
  normalisation has those of one process. With `accumulate` they are those of a part, so that
  "lfq" and "bsq" differ, and a codebook starts from other vectors.
"""

import atexit
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from refine_core.app.progress import Progress
from refine_core.device import Precision, find_device, multiplies_bfloat16
from refine_core.training.callbacks import Callback
from refine_core.training.config import Optimisation
from refine_core.training.data import Data
from refine_core.training.loader import Loader
from refine_core.training.runs import Run
from refine_core.training.state import Module, Row, TrainState
from refine_core.training.step import Step

T = TypeVar("T")
Validate = Callable[[Module], Row]


def fit(
    module: Module,
    data: Data[object],
    opt: Optimisation,
    *,
    seed: int,
    run: Run | None = None,
    validate: Validate[Module] | None = None,
    validations: int | None = None,
    callbacks: Sequence[Callback[Module]] = (),
    title: str = "training",
    quiet: bool = False,
) -> tuple[Module, list[Row]]:
    """Train `module`; return it, averaged and in evaluation mode, and a row of metrics per epoch.

    Each step calls `module(batch, noise)`, which returns a dictionary of scalar losses with the
    key "loss", and then `module.after_step()` if there is one. `noise` is indexed by the samples'
    places in `data`. A loss that is not a mean over samples comes with "count", the number of
    terms that it is a mean over. Training starts from the module's weights, whatever they are.

    A row holds the mean of each loss over the epoch, `grad_norm_mean` and `grad_norm_var` over its
    steps (before clipping), `seconds`, and what `validate(module)` returned, called in evaluation
    mode without gradients. The last, incomplete batch of an epoch is left out.

    A run can be continued with another number of epochs. From there on the learning rate is that
    of a run of the new length, so that it rises again if the run had ended.

    With `opt.fsdp`, under `torchrun`, each process holds its share of the state of the training.
    The module is copied, and empty until the end, where it is filled with what is returned; in
    `validate` it is whole, too. Callbacks find a `state.module` of `DTensor`s.

    Torch's global generators, of the CPU and of the device in use, are restored at the end.

    Args:
        module: What to train, modified in place.
        data: Training samples.
        opt: The settings of the training.
        seed: Seeds the order of samples and every random number.
        run: Where metrics and checkpoints go; a run that holds a checkpoint is continued. With
            None, nothing is written.
        validate: Computes further metrics after each epoch.
        validations: Computes them so many times at most, at equal distances, the last time after
            the last epoch.
        callbacks: Called at the start, after each step and after each epoch.
        title: Shown beside the progress bar.
        quiet: Whether to show nothing.

    Raises:
        InputError: If there are fewer samples than a batch, the batch does not divide over the
            processes, the run was started with another seed, configuration or data, its checkpoint
            is damaged, a parameter cannot be sharded, or the loss stops being finite.

    >>> import torch
    >>> import refine_core as rc
    >>> class Line(torch.nn.Linear):
    ...     def forward(self, batch, noise):
    ...         x, y = batch
    ...         return {"loss": (super().forward(x) - y).square().mean()}
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> opt = rc.Optimisation(epochs=30, batch=16, learning_rate=0.1, ema=None)
    >>> line, rows = rc.fit(Line(1, 1), rc.Tensors(x, 2 * x + 1), opt, seed=0, quiet=True)
    >>> len(rows), round(line.weight.item(), 1), round(line.bias.item(), 1)
    (30, 2.0, 1.0)
    """
    precision = _precision(opt, run)
    fabric, opt = _fabric(precision, fsdp=opt.fsdp), replace(opt, precision=precision)
    processes = fabric.world_size
    loader = Loader(
        data, opt.batch, seed, rank=fabric.global_rank, processes=processes, parts=opt.accumulate
    )
    mesh = _mesh(fabric)
    if mesh is None:
        fabric.to_device(module)
    state = TrainState.new(module, opt, mesh)
    if run is not None:
        state.resume(run, seed, opt.epochs, loader.steps)
    training = _Training(
        fabric,
        loader,
        state,
        Step(fabric, state, opt, seed),
        opt,
        seed,
        run if fabric.is_global_zero or mesh is not None else None,
        validate,
        opt.epochs if validations is None else validations,
        callbacks,
    )
    quiet = quiet or not fabric.is_global_zero
    devices = [fabric.device] if fabric.device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices, device_type="cuda"),
        Progress(title, training.total, quiet=quiet) as progress,
    ):
        try:
            for callback in callbacks:
                callback.start(state)
            while training.goes_on():
                training.epoch(progress)
        except KeyboardInterrupt:
            if mesh is None and state.whole:  # others are perhaps at another step
                training.save()
            raise
    return state.averaged.eval(), state.history


@dataclass
class _Training(Generic[Module]):
    """The loop over epochs, with its parts."""

    fabric: Fabric
    loader: Loader
    state: TrainState[Module]
    step: Step[Module]
    opt: Optimisation
    seed: int
    run: Run | None
    validate: Validate[Module] | None
    validations: int
    callbacks: Sequence[Callback[Module]]

    @property
    def total(self) -> int:
        """Steps of all epochs."""
        return self.loader.steps * self.opt.epochs

    def goes_on(self) -> bool:
        """Whether a step, or the end of an epoch, is left."""
        steps_left = self.state.step < self.total and not self.state.stopped
        return steps_left or bool(self.state.metrics)

    def epoch(self, progress: Progress) -> None:
        """Train until the end of the epoch."""
        state, started, saved = self.state, time.monotonic(), time.monotonic()
        # Steps with metrics and without a row belong to an epoch that has not ended yet.
        epoch = (state.step - bool(state.metrics)) // self.loader.steps
        for parts in self.loader.epoch(epoch, state.step - epoch * self.loader.steps):
            self.step(parts, self.opt.learning_rate * _rate(state.step / self.total, self.opt))
            progress.update(state.step, state.metrics[-1]["loss"])
            for callback in self.callbacks:
                callback.end_step(state)
            if self._due(saved):
                self.save()
                saved = time.monotonic()
        progress.row(self._end(epoch, time.monotonic() - started))
        self.save()

    def validates(self, epoch: int) -> bool:
        """Whether an epoch is followed by validation."""
        left = self.opt.epochs - 1 - epoch
        return left % -(-self.opt.epochs // self.validations) == 0

    def _due(self, saved: float) -> bool:
        """Whether it is time for a checkpoint; shards are written when the first process says."""
        due = time.monotonic() - saved > 60 * self.opt.save_minutes
        return due if self.state.sharded is None else bool(self.fabric.broadcast(due))

    def save(self) -> None:
        """Write metrics and a checkpoint, in the processes that have the run."""
        if self.run is not None:
            self.state.save(self.run, self.seed, self.opt.epochs)

    def _end(self, epoch: int, seconds: float) -> Row:
        state = self.state
        row: Row = {"epoch": epoch + 1, "step": state.step, **state.mean_metrics()}
        row["seconds"] = seconds
        if self.validate is not None and self.validates(epoch):
            with torch.no_grad():
                row |= self.validate(state.averaged.eval())
            if state.sharded is not None:
                state.sharded.empty()
        state.whole = False
        state.history.append(row)
        state.metrics.clear()
        stops = [callback.end_epoch(state) for callback in self.callbacks]
        state.stopped = bool(self.fabric.broadcast(any(stops)))
        state.whole = True
        return row


class _Mixed(MixedPrecision):
    """Mixed precision that rounds operations, as autocast says, and not the data."""

    def __init__(self, device: torch.device) -> None:
        super().__init__("bf16-mixed", device.type)

    def convert_input(self, data: T) -> T:
        return data


def _precision(opt: Optimisation, run: Run | None) -> Precision:
    """The precision of a training; that of "auto" is recorded with the run."""

    def fastest() -> Precision:
        return "bf16-mixed" if multiplies_bfloat16(find_device()) else "32-true"

    if opt.precision != "auto":
        return opt.precision
    return fastest() if run is None else run.settle("precision", fastest)


def _fabric(precision: Precision, *, fsdp: bool = False) -> Fabric:
    """One process per `torchrun` worker, else one process; see `refine_core.device`."""
    device = find_device()
    world = int(os.environ.get("WORLD_SIZE", 1))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", world))
    plugins = _Mixed(device) if precision == "bf16-mixed" else None
    if world == 1:
        which = [device.index or 0] if device.type == "cuda" else 1
        return Fabric(accelerator=device.type, devices=which, plugins=plugins)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # of every process otherwise
    fabric = Fabric(
        accelerator=device.type,
        strategy=_fsdp(world) if fsdp else "ddp",
        devices=local,
        num_nodes=world // local,
        plugins=plugins,
    )
    fabric.launch()
    atexit.register(_leave)  # gloo's threads, alive at exit, now and then abort the process
    return fabric


def _fsdp(world: int) -> ModelParallelStrategy:
    """Calls modules that are sharded already, see `refine_core.training.sharding`."""

    def as_it_is(module: nn.Module, _: DeviceMesh) -> nn.Module:
        return module

    return ModelParallelStrategy(as_it_is, data_parallel_size=world, tensor_parallel_size=1)


def _mesh(fabric: Fabric) -> DeviceMesh | None:
    """The processes that a module is sharded over, if it is."""
    strategy = fabric.strategy
    if isinstance(strategy, ModelParallelStrategy):
        return strategy.device_mesh["data_parallel"]
    return None


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _rate(progress: float, opt: Optimisation) -> float:
    """Share of the peak learning rate: linear warm-up, then half a cosine down to `final_rate`."""
    if progress < opt.warmup:
        return (progress + 1e-8) / opt.warmup
    phase = (progress - opt.warmup) / max(1 - opt.warmup, 1e-8)
    return opt.final_rate + (1 - opt.final_rate) * 0.5 * (1 + math.cos(math.pi * phase))
