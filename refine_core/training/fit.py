"""Training: one loop for every model of the project.

A module's `forward(batch, noise)` returns its losses; `fit` does the rest. Nothing random has a
state: the order of an epoch follows from (seed, epoch) and the numbers of a step from (seed,
step), so a run resumed from any checkpoint equals one that was not interrupted, and a run over
several processes equals one over a single process, up to rounding.
"""

import atexit
import math
import os
import time
from collections.abc import Callable
from typing import Literal, TypeVar, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from refine_core.app.memory import keep_freed
from refine_core.app.progress import Progress
from refine_core.data import Data
from refine_core.errors import InputError
from refine_core.noise import Noise, derive
from refine_core.training.config import Optimisation
from refine_core.training.runs import Run
from refine_core.training.state import Row, TrainState

Module = TypeVar("Module", bound=nn.Module)
Validate = Callable[[Module], Row]


def fit(
    module: Module,
    data: Data[object],
    opt: Optimisation,
    *,
    seed: int,
    run: Run | None = None,
    validate: Validate[Module] | None = None,
    title: str = "training",
    quiet: bool = False,
) -> tuple[Module, list[Row]]:
    """Train `module`; return it, averaged and in evaluation mode, and a row of metrics per epoch.

    Each step calls `module(batch, noise)`, which returns a dictionary of scalar losses with the
    key "loss", and then `module.after_step()` if there is one. `noise` is indexed by the samples'
    place in `data`; torch's global generator is seeded with (seed, step, rank) before each step.
    A row holds the mean of each loss over the epoch, `grad_norm_mean` and `grad_norm_var` over its
    steps (before clipping), `seconds`, and what `validate(module)` returned, called in evaluation
    mode without gradients. The last, incomplete batch of an epoch is left out. Freed memory stays
    with the process (`refine_core.app.memory`).

    Args:
        module: What to train, modified in place.
        data: Training samples.
        opt: See `Optimisation`.
        seed: Of the order and of every random number.
        run: Where metrics and checkpoints go; a run that holds a checkpoint is continued. None
            keeps nothing.
        validate: Computes further metrics after each epoch.
        title: Shown beside the progress bar.
        quiet: Whether to show nothing.

    Raises:
        InputError: If there are fewer samples than a batch, the batch does not divide over the
            processes, the run was started with another seed, configuration or data, or the loss
            stops being finite.
    """
    keep_freed()
    fabric = _fabric(opt.precision)
    steps = _steps_per_epoch(len(data), opt.batch, fabric.world_size)
    total = steps * opt.epochs
    fabric.to_device(module)
    state = TrainState.new(
        module,
        rate=opt.learning_rate,
        beta2=opt.beta2,
        decay=opt.weight_decay,
        decay_vectors=opt.decay_vectors,
        ema=opt.ema,
    )
    if run is not None:
        state.resume(run, seed)
    compiled = cast(nn.Module, torch.compile(module)) if opt.compile else module
    wrapped, optimizer = fabric.setup(compiled, state.optimizer, _reapply_compile=False)
    keep = run if fabric.is_global_zero else None
    with Progress(title, total, quiet=quiet or not fabric.is_global_zero) as progress:
        try:
            saved = time.monotonic()
            while state.step < total or state.metrics:
                # Steps with metrics and no row are of an epoch that has not ended yet.
                epoch = (state.step - bool(state.metrics)) // steps
                done = state.step - epoch * steps
                order = _order(len(data), seed, epoch)
                started = time.monotonic()
                for place in range(done, steps):
                    index = order[place * opt.batch : (place + 1) * opt.batch]
                    for group in optimizer.param_groups:
                        group["lr"] = opt.learning_rate * _rate(state.step / total, opt)
                    _step(fabric, wrapped, module, optimizer, state, data, index, opt.clip, seed)
                    progress.update(state.step, state.metrics[-1]["loss"])
                    if keep and time.monotonic() - saved > 60 * opt.save_minutes:
                        state.save(keep, seed)
                        saved = time.monotonic()
                progress.row(_end_epoch(state, epoch, time.monotonic() - started, validate))
                if keep:
                    state.save(keep, seed)
        except KeyboardInterrupt:
            if keep:
                state.save(keep, seed)
            raise
    return state.averaged.eval(), state.history


def _fabric(precision: Literal["32-true", "bf16-mixed"]) -> Fabric:
    """One process per `torchrun` worker, else one process on the best device."""
    world = int(os.environ.get("WORLD_SIZE", 1))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", world))
    if world == 1:
        return Fabric(devices=1, precision=precision)
    fabric = Fabric(strategy="ddp", devices=local, num_nodes=world // local, precision=precision)
    fabric.launch()
    atexit.register(_leave)  # gloo's threads, alive at exit, now and then abort the process
    return fabric


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _steps_per_epoch(samples: int, batch: int, processes: int) -> int:
    if batch % processes:
        raise InputError(
            f"A batch of {batch} does not divide over {processes} processes: choose a multiple."
        )
    if samples < batch:
        raise InputError(
            f"The training set has {samples} samples, fewer than one batch of {batch}: "
            "give more data or a smaller `batch`."
        )
    return samples // batch


def _order(samples: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(samples, generator=torch.Generator().manual_seed(derive(seed, epoch)))


def _rate(progress: float, opt: Optimisation) -> float:
    """Share of the peak learning rate: linear warm-up, then half a cosine down to `final_rate`."""
    if progress < opt.warmup:
        return (progress + 1e-8) / opt.warmup
    phase = (progress - opt.warmup) / max(1 - opt.warmup, 1e-8)
    return opt.final_rate + (1 - opt.final_rate) * 0.5 * (1 + math.cos(math.pi * phase))


def _step(
    fabric: Fabric,
    wrapped: nn.Module,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainState[Module],
    data: Data[object],
    index: Tensor,
    clip: float | None,
    seed: int,
) -> None:
    mine = index.chunk(fabric.world_size)[fabric.global_rank]
    batch = fabric.to_device(data[mine])
    names = fabric.to_device(mine)
    torch.manual_seed(derive(seed, state.step, fabric.global_rank))
    wrapped.train()
    losses = wrapped(batch, Noise(derive(seed, state.step), names))
    fabric.backward(losses["loss"])
    norm = nn.utils.clip_grad_norm_(module.parameters(), clip or math.inf)
    row = {k: float(cast(Tensor, fabric.all_reduce(v.detach()))) for k, v in losses.items()}
    row["grad_norm"] = float(norm)
    if not math.isfinite(row["loss"] + row["grad_norm"]):
        raise InputError(
            f"Training diverged at step {state.step}: loss {row['loss']}, gradient norm "
            f"{row['grad_norm']}; "
            "check the data for extreme values or lower `learning_rate`."
        )
    optimizer.step()
    optimizer.zero_grad()
    after_step = getattr(module, "after_step", None)
    if after_step is not None:
        after_step()
    state.advance(row)


def _end_epoch(
    state: TrainState[Module], epoch: int, seconds: float, validate: Validate[Module] | None
) -> Row:
    row: Row = {"epoch": epoch + 1, "step": state.step, **state.mean_metrics(), "seconds": seconds}
    if validate is not None:
        with torch.no_grad():
            row |= validate(state.averaged.eval())
    state.history.append(row)
    state.metrics.clear()
    return row
