"""The state of a training: what changes from step to step, saved to a checkpoint and resumed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean, pvariance
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.optim.swa_utils import AveragedModel

from refine_core.config.schema import from_dict
from refine_core.errors import InputError
from refine_core.storage import checkpoint
from refine_core.training import sharded_checkpoint
from refine_core.training.config import Optimisation
from refine_core.training.muon import Muon
from refine_core.training.runs import Run
from refine_core.training.shards import is_sharded, local

if TYPE_CHECKING:
    from refine_core.training.sharding import Sharded

Module = TypeVar("Module", bound=nn.Module)

Row = dict[str, int | float]
"""Metrics by name."""
Weights = tuple[Tensor, ...] | list[Tensor]

_FILE = "last.safetensors"


@dataclass(frozen=True)
class _Record:
    """The metadata of a training checkpoint; older ones have no data or epochs."""

    config: dict[str, object]
    data: str | None = None
    seed: int = 0
    epochs: int | None = None
    step: int = 0
    history: list[Row] = field(default_factory=list)
    metrics: list[Row] = field(default_factory=list)
    stopped: bool = False

    def is_other_length(self, run: Run, epochs: int) -> bool:
        """Whether a run has another number of epochs and else the same configuration."""
        return list(differences(self.config, run.config).values()) == [(self.epochs, epochs)]

    def check(self, run: Run, seed: int, epochs: int) -> None:
        """Refuse a run with another seed, configuration or data.

        Raises:
            InputError: It is such a run.
        """
        changes = differences(self.config, run.config)
        if self.seed != seed:
            changes = {"seed": (self.seed, seed)}
        elif self.is_other_length(run, epochs):
            changes = {}
        if changes:
            said = [f"{name}: {old}, now {new}" for name, (old, new) in changes.items()]
            raise InputError(
                f"{run.path} holds a run with another seed or configuration "
                f"({'; '.join(said[:3])}{'; ...' if len(said) > 3 else ''}): "
                "choose another run name, or delete the folder."
            )
        if self.data not in (None, run.data):
            raise InputError(
                f"{run.path} holds a run on other data than the source has now: choose another "
                "run name, delete the folder, or put the data back."
            )


def build_optimizer(module: nn.Module, opt: Optimisation) -> torch.optim.Optimizer:
    """The optimiser of what a module learns.

    Muon's matrices are those that parts of the module return from a method `matrices`.

    Raises:
        InputError: Muon has no matrices.
    """
    learned = [p for p in module.parameters() if p.requires_grad]
    decayed = [p for p in learned if p.ndim > 1 or opt.decay_vectors]
    free = [p for p in learned if not (p.ndim > 1 or opt.decay_vectors)]
    betas = (opt.beta1, opt.beta2)
    if opt.optimizer == "adamw":
        groups = [(decayed, opt.weight_decay), (free, 0.0)]
        found = [{"params": each, "weight_decay": decay} for each, decay in groups if each]
        return torch.optim.AdamW(found, lr=opt.learning_rate, betas=betas, fused=True)
    matrices = {id(each): each for each in _matrices(module) if each.requires_grad}
    if not matrices:
        raise InputError(
            "Muon is for networks with transformer blocks, and this one has none: choose "
            "`optimizer: adamw`."
        )
    return Muon(
        list(matrices.values()),
        [each for each in decayed if id(each) not in matrices],
        free,
        rate=opt.learning_rate,
        betas=betas,
        decay=opt.weight_decay,
        dtype=torch.bfloat16 if opt.precision == "bf16-mixed" else torch.float32,
    )


def _matrices(module: nn.Module) -> Iterator[nn.Parameter]:
    for part in module.modules():
        find: Callable[[], list[nn.Parameter]] | None = getattr(part, "matrices", None)
        if find is not None:
            yield from find()


@dataclass
class TrainState(Generic[Module]):
    """Weights, their moving average, the optimiser's moments, and the metrics so far."""

    module: Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    sharded: "Sharded[Module] | None" = None
    """What `module` is a share of, if it is one: then `average` and moments are shared alike."""
    step: int = 0
    history: list[Row] = field(default_factory=list)
    """One row per finished epoch."""
    metrics: list[Row] = field(default_factory=list)
    """One row per step of the epoch that has not ended."""
    stopped: bool = False
    """Whether a callback has ended the training."""
    whole: bool = True
    """Whether all of it is of the same step; not so in the middle of one."""

    @classmethod
    def new(cls, module: Module, opt: Optimisation, mesh: DeviceMesh | None = None) -> Self:
        """State before the first step, of which each of the processes of `mesh` has a share."""
        average, mixed = None, opt.precision == "bf16-mixed"
        if opt.ema is not None:
            average = AveragedModel(module)
            average.multi_avg_fn = _moving_average(opt.ema, average)
        if mesh is None:
            return cls(module, average, build_optimizer(module, opt))
        from refine_core.training.sharding import Sharded, shard

        if average is not None:
            shard(average.module, mesh)
        sharded = Sharded.of(module, mesh, mixed=mixed)
        return cls(sharded.module, average, build_optimizer(sharded.module, opt), sharded)

    @property
    def averaged(self) -> Module:
        """The weights to use: averaged if asked for, with the trained module's buffers.

        Of sharded weights all processes ask for them at once, and each gets them whole.
        """
        if self.sharded is not None:
            return self.sharded.fill(self.average.module if self.average else self.module)
        if self.average is None:
            return self.module
        averaged = self.average.module
        assert isinstance(averaged, type(self.module))
        for mine, theirs in zip(averaged.buffers(), self.module.buffers(), strict=True):
            mine.copy_(theirs)
        return averaged

    def advance(self, row: Row) -> None:
        """Count one optimiser step, update the average of the weights, and record the metrics."""
        if self.average is not None:
            self.average.update_parameters(self.module)
        self.metrics.append(row)
        self.step += 1
        self.whole = True

    def mean_metrics(self) -> Row:
        """Means over the epoch so far, and the variance of the gradient norm."""
        means = {name: fmean(row[name] for row in self.metrics) for name in self.metrics[0]}
        norms = [row["grad_norm"] for row in self.metrics]
        means["grad_norm_mean"] = means.pop("grad_norm")
        means["grad_norm_var"] = pvariance(norms)
        return means

    def tensors(self) -> dict[str, Tensor]:
        """Weights, their average and moments, under the names that a checkpoint has for them."""
        tensors = {f"model/{k}": v for k, v in self.module.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average/{k}": v for k, v in self.average.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{k}": v for k, v in moments.items()}
        return tensors

    def save(self, run: Run, seed: int, epochs: int) -> None:
        """Write metrics and a checkpoint from which `resume` continues exactly.

        Of a sharded state all processes call it, and else the first.
        """
        progress = (self.step, self.history, self.metrics, self.stopped)
        about = _Record(run.config, run.data, seed, epochs, *progress)
        path, meta = run.path / _FILE, {"kind": "training", **vars(about)}
        if self.sharded is not None:
            sharded_checkpoint.save(path, self.tensors(), meta, step=self.step)
        else:
            checkpoint.save(path, self.tensors(), meta)
            sharded_checkpoint.remove_shards(path, [])
        run.write_metrics(self.history)

    def resume(self, run: Run, seed: int, epochs: int, steps: int) -> None:
        """Continue from the run's last checkpoint, if there is one.

        Args:
            run: The run, whose folder may hold a checkpoint.
            seed: Seed of the training.
            epochs: Length of the training, the one setting that may have changed.
            steps: Steps of an epoch.

        Raises:
            InputError: If the checkpoint belongs to another seed, configuration, model or data, or
                has had more epochs.
        """
        path = run.path / _FILE
        if not path.exists():
            return
        remedy = f"delete the folder {run.path} to train from the start"
        saved = checkpoint.load(path, "training", remedy=remedy)
        about = from_dict(_Record, saved.meta, str(path))
        about.check(run, seed, epochs)
        if about.step > steps * epochs:
            done = -(-about.step // steps)
            raise InputError(
                f"{run.path} holds a run of {done} epochs, expected at most the {epochs} of the "
                "configuration: give more `epochs`, or choose another run name."
            )
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
        own, mesh = self.tensors(), self.sharded.mesh if self.sharded else None

        def sharded(name: str, tensor: Tensor) -> bool:
            return name.startswith("optimizer/") or is_sharded(own.get(name))

        tensors = sharded_checkpoint.tensors(path, saved, sharded, mesh, remedy=remedy)
        for name, tensor in tensors.items():
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
        self.stopped = about.stopped and epochs == about.epochs
        if epochs != about.epochs:
            run.write_config()


def differences(
    old: Mapping[str, object], new: Mapping[str, object], path: str = ""
) -> dict[str, tuple[object, object]]:
    """Map dotted paths to the two values that configs have there, where they differ.

    A field that `old` lacks, as it is of an older version, is no difference while it is off.

    >>> differences({"dim": 8, "depth": 2}, {"dim": 16, "depth": 2, "fsdp": False})
    {'dim': (8, 16)}
    """
    found: dict[str, tuple[object, object]] = {}
    for name in dict.fromkeys([*old, *new]):
        if name not in old and not new[name]:
            continue
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found |= differences(before, after, f"{path}{name}.")
        elif before != after:
            found[path + name] = (before, after)
    return found


def _moving_average(
    decay: float, model: AveragedModel
) -> Callable[[Weights, Weights, Tensor | int], None]:
    """Exponential average that forgets the initial weights: the decay rises to its value."""

    @torch.no_grad()
    def update(average: Weights, current: Weights, _: Tensor | int) -> None:
        count = int(model.n_averaged)  # on the CPU; what is handed over is on the device
        now = min(decay, (1 + count) / (10 + count))
        for mine, theirs in zip(average, current, strict=True):
            local(mine).lerp_(local(theirs), 1 - now)

    return update
