"""One optimiser step: parts of a batch, one after the other, on each of several processes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise, derive
from refine_core.training.config import Optimisation
from refine_core.training.loader import Parts
from refine_core.training.shards import full, local, share_buffers
from refine_core.training.state import Module, Row, TrainState

COUNT = "count"
"""Key beside the losses: how many terms "loss" is a mean over."""


@dataclass
class Losses:
    """Losses of a part of a batch, and what they are means over.

    Args:
        values: Losses by name, detached.
        samples: How many samples the part has.
        count: How many terms "loss" is a mean over.
    """

    values: dict[str, Tensor]
    samples: int
    count: Tensor


class Step(Generic[Module]):
    """Computes the gradient of the mean loss of a batch, and updates the weights.

    Args:
        fabric: Joins the processes.
        state: The state of the training, changed in place.
        opt: The settings of the training.
        seed: Seeds the noise.
    """

    def __init__(
        self, fabric: Fabric, state: TrainState[Module], opt: Optimisation, seed: int
    ) -> None:
        self.fabric, self.state, self.opt, self.seed = fabric, state, opt, seed
        module = state.module if state.sharded is None else state.sharded.root
        compiled = cast(nn.Module, torch.compile(module)) if opt.compile else module
        self.forward = fabric.setup_module(compiled, _reapply_compile=False)
        self.optimizer = cast(torch.optim.Optimizer, fabric.setup_optimizers(state.optimizer))
        self.alone = opt.accumulate == 1 and fabric.world_size == 1

    def __call__(self, parts: Parts, rate: float) -> None:
        """Take one step.

        Args:
            parts: The samples of this process.
            rate: Learning rate.

        Raises:
            InputError: The loss or its gradient is not finite.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._seed()
        if self.state.sharded is not None:
            share_buffers(self.state.module)
        self.forward.train()
        found = [self._backward(*part, last=part is parts[-1]) for part in parts]
        means = self._means(found)
        parameters = self.state.module.parameters()
        norm = full(nn.utils.clip_grad_norm_(parameters, self.opt.clip or math.inf))
        row = _numbers({**means, "grad_norm": norm})
        self._check(row)
        self.state.whole = False
        self.optimizer.step()
        self.optimizer.zero_grad()
        after_step = getattr(self.state.module, "after_step", None)
        if after_step is not None:
            after_step()
        self.state.advance(row)

    def _seed(self) -> None:
        """Seed torch's generators of the CPU and of the device, for modules that use them."""
        seed = derive(self.seed, self.state.step, self.fabric.global_rank)
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` takes a millisecond
        if self.fabric.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        elif self.fabric.device.type == "mps":
            torch.mps.manual_seed(seed)

    def _backward(self, index: Tensor, batch: object, *, last: bool) -> Losses:
        """Add the gradient of a part of a batch, multiplied by its count of terms."""
        noise = Noise(derive(self.seed, self.state.step), self.fabric.to_device(index))
        losses = dict(self.forward(self.fabric.to_device(batch), noise))
        loss: Tensor = losses["loss"]
        count = torch.as_tensor(losses.pop(COUNT, len(index)), device=loss.device)
        # A sum over processes of each part takes longer, but no process holds a whole gradient.
        later = not last and self.state.sharded is None
        with self.fabric.no_backward_sync(self.forward, enabled=later):
            self.fabric.backward(loss if self.alone else loss * count)
        return Losses({name: loss.detach() for name, loss in losses.items()}, len(index), count)

    def _means(self, found: Sequence[Losses]) -> dict[str, Tensor]:
        """Average losses over all parts and processes, and gradients in place."""
        if self.alone:
            return found[0].values
        names = list(found[0].values)
        sums = []
        for part in found:
            weights = [part.count if name == "loss" else part.samples for name in names]
            terms = [
                part.values[name] * weight for name, weight in zip(names, weights, strict=True)
            ]
            count, samples = part.count.to(terms[0]), terms[0].new_tensor(part.samples)
            sums.append(torch.stack([*terms, count, samples]))
        total = cast(Tensor, self.fabric.all_reduce(torch.stack(sums).sum(0), reduce_op="sum"))
        *terms, count, samples = total.unbind()
        factor = self.fabric.world_size / count  # gradients are means over processes
        for parameter in self.state.module.parameters():
            if parameter.grad is not None:
                local(parameter.grad).mul_(factor)
        return {
            name: term / (count if name == "loss" else samples)
            for name, term in zip(names, terms, strict=True)
        }

    def _check(self, row: Row) -> None:
        if not math.isfinite(row["loss"] + row["grad_norm"]):
            raise InputError(
                f"Training diverged at step {self.state.step}: loss {row['loss']}, gradient norm "
                f"{row['grad_norm']}; "
                "check the data for extreme values or lower `learning_rate`."
            )


def _numbers(values: Mapping[str, Tensor]) -> Row:
    """Values read at once, as the host waits for the device at each reading."""
    return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))


def trained_parameters(module: nn.Module) -> int:
    """Count of parameters that are not frozen."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
