"""All that changes while training, and how it is saved and taken up again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean, pvariance
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from refine_core.config.schema import from_dict
from refine_core.errors import InputError
from refine_core.storage import checkpoint
from refine_core.training.runs import Run

Module = TypeVar("Module", bound=nn.Module)
Row = dict[str, int | float]
"""Metrics by name."""
Weights = tuple[Tensor, ...] | list[Tensor]

_FILE = "last.safetensors"


@dataclass(frozen=True)
class _Record:
    """The metadata of a training checkpoint."""

    config: dict[str, object]
    seed: int
    step: int
    history: list[Row]
    metrics: list[Row]
    data: str | None = None


@dataclass
class TrainState(Generic[Module]):
    """Weights, their moving average, the optimiser's moments, and the metrics so far."""

    module: Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    step: int = 0
    history: list[Row] = field(default_factory=list)
    """One row per finished epoch."""
    metrics: list[Row] = field(default_factory=list)
    """One row per step of the epoch under way."""

    @classmethod
    def new(
        cls,
        module: Module,
        *,
        rate: float,
        beta2: float,
        decay: float,
        decay_vectors: bool,
        ema: float | None,
    ) -> Self:
        """State before the first step; vectors (gains, biases) decay only on demand."""
        learned = [p for p in module.parameters() if p.requires_grad]
        decayed = [p for p in learned if p.ndim > 1 or decay_vectors]
        free = [p for p in learned if not (p.ndim > 1 or decay_vectors)]
        groups = [
            {"params": decayed, "weight_decay": decay},
            {"params": free, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(
            [g for g in groups if g["params"]], lr=rate, betas=(0.9, beta2), fused=True
        )
        average = None
        if ema is not None:
            average = AveragedModel(module, multi_avg_fn=_moving_average(ema))
        return cls(module, average, optimizer)

    @property
    def averaged(self) -> Module:
        """The weights to use: averaged if asked for, with the trained module's buffers."""
        if self.average is None:
            return self.module
        averaged = self.average.module
        assert isinstance(averaged, type(self.module))
        for mine, theirs in zip(averaged.buffers(), self.module.buffers(), strict=True):
            mine.copy_(theirs)
        return averaged

    def advance(self, row: Row) -> None:
        """Count one optimiser step and note its metrics."""
        if self.average is not None:
            self.average.update_parameters(self.module)
        self.metrics.append(row)
        self.step += 1

    def mean_metrics(self) -> Row:
        """Means over the epoch so far, and the variance of the gradient norm."""
        means = {name: fmean(row[name] for row in self.metrics) for name in self.metrics[0]}
        norms = [row["grad_norm"] for row in self.metrics]
        means["grad_norm_mean"] = means.pop("grad_norm")
        means["grad_norm_var"] = pvariance(norms)
        return means

    def save(self, run: Run, seed: int) -> None:
        """Write metrics and a checkpoint from which `resume` continues exactly."""
        tensors = {f"model/{k}": v for k, v in self.module.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average/{k}": v for k, v in self.average.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{k}": v for k, v in moments.items()}
        about = _Record(run.config, seed, self.step, self.history, self.metrics, run.data)
        checkpoint.save(run.path / _FILE, tensors, {"kind": "training", **vars(about)})
        run.write_metrics(self.history)

    def resume(self, run: Run, seed: int) -> None:
        """Take up the run's last checkpoint, if there is one.

        Raises:
            InputError: If the checkpoint belongs to another seed, configuration, model or data.
        """
        path = run.path / _FILE
        if not path.exists():
            return
        remedy = f"delete the folder {run.path} to train from the start"
        saved = checkpoint.load(path, "training", remedy=remedy)
        about = from_dict(_Record, saved.meta, str(path))
        if about.seed != seed or about.config != run.config:
            raise InputError(
                f"{run.path} holds a run with another seed or configuration, see its config.yaml: "
                "choose another run name, or delete the folder."
            )
        if about.data not in (None, run.data):
            raise InputError(
                f"{run.path} holds a run on other data than the source has now: choose another "
                "run name, delete the folder, or put the data back."
            )
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
        for name, tensor in saved.tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        checkpoint.load_into(self.module, parts["model"])
        if self.average is not None:
            checkpoint.load_into(self.average, parts["average"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            number, _, key = name.partition("/")
            moments.setdefault(int(number), {})[key] = tensor
        state = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**state, "state": moments})
        self.step, self.history, self.metrics = about.step, about.history, about.metrics


def _moving_average(decay: float) -> Callable[[Weights, Weights, Tensor | int], None]:
    """Exponential average that forgets the initial weights: the decay rises to its value."""

    @torch.no_grad()
    def update(average: Weights, current: Weights, count: Tensor | int) -> None:
        now = min(decay, (1 + int(count)) / (10 + int(count)))
        for mine, theirs in zip(average, current, strict=True):
            mine.lerp_(theirs, 1 - now)

    return update
