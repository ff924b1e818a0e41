"""Trains small refiners whose state is sharded over processes, and writes what came out."""

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from refine_core.config.schema import from_dict, to_dict
from refine_core.errors import InputError
from refine_core.methods.registry import as_methods, build_methods
from refine_core.refiner import Refiner
from refine_core.training import sharded_checkpoint
from refine_core.training.callbacks import Callback
from refine_core.training.config import Optimisation
from refine_core.training.data import Tensors
from refine_core.training.loop import fit
from refine_core.training.runs import Run
from refine_core.training.shards import local
from refine_core.training.state import Row, TrainState
from tests.ranks import started
from tests.refine_core.tiny import DIM, refiner, with_methods

OPT = Optimisation(
    epochs=3, batch=12, learning_rate=0.02, ema=0.9, fsdp=True, save_minutes=0.0, warmup=0.0
)
Model = Refiner[Tensor, Tensor, Tensor, Tensor]
Result = dict[str, Any]


@dataclass
class Watch(Callback[Model]):
    """Counts the bytes that this process holds, and kills it.

    Args:
        step: In which step.
        place: Whether right after the step, or when the shard of its checkpoint is written.
    """

    step: int = -1
    place: str = "step"
    held: int = 0

    def end_step(self, state: TrainState[Model]) -> None:
        self.held = sum(local(each).nbytes for each in state.tensors().values())
        if state.step == self.step:
            if self.place == "step":
                kill()
            setattr(sharded_checkpoint, "_agree", kill)  # noqa: B010


def kill(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def build(name: str) -> Model:
    """A refiner; that of "methods" has networks beside it, some of which a step leaves out."""
    model = refiner().train()
    if name != "methods":
        return model
    found = as_methods({name: {} for name in ("consistency", "min_snr", "self_conditioning")})
    weaker = as_methods({"autoguidance": {"share": 0.5}})
    return with_methods(model, *build_methods(found), *build_methods(weaker))


def samples() -> Tensors:
    x = torch.randn(48, DIM, 5, 5, generator=torch.Generator().manual_seed(0))
    return Tensors(x, torch.arange(48) % 3)


def validate(model: Model) -> Row:
    """What no call of `forward` computes."""
    x, context = samples().tensors
    return {"nats": -float(model.code_log_prob(x[:4], context[:4]).sum())}


def train(
    folder: Path, opt: Optimisation, model: Model | None = None, watch: Watch | None = None
) -> Result:
    """Train in a folder; return weights, metrics and the bytes of the state."""
    run, watch = Run.start(folder, opt, 1), watch or Watch()
    model = model or build(folder.name)
    fitted, history = fit(
        model, samples(), opt, seed=1, run=run, validate=validate, callbacks=[watch], quiet=True
    )
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history]
    return {"weights": fitted.state_dict(), "rows": rows, "held": watch.held}


def train_in(
    count: int,
    folder: Path,
    opts: dict[str, Optimisation],
    *,
    kill: tuple[int, int, str] = (-1, -1, "step"),
) -> tuple[list[dict[str, Result]], list[int], list[str]]:
    """Train in folders of these names in so many processes.

    Args:
        count: Of the processes.
        folder: Holds the folders.
        opts: Settings by folder.
        kill: The process that is killed, with step and place of `Watch`.

    Returns:
        Of each process what `train` returned by folder, its exit code and what it printed; of
        killed ones and those that wait for them nothing.
    """
    out = folder / f"out-{count}"
    words = [str(out), json.dumps({name: to_dict(opt) for name, opt in opts.items()})]
    with started(__name__, count, *words, *map(str, kill)) as running:
        if kill[0] >= 0:
            return [], [running[kill[0]].wait(120)], []
        said = [process.communicate(timeout=120)[1] for process in running]
        codes = [process.returncode for process in running]
    files = [out.with_name(f"{out.name}.{rank}") for rank in range(count)]
    found = [torch.load(file, weights_only=True) for file in files if file.exists()]
    return found, codes, said


def main(out: str, opts: str, rank: str, step: str, place: str) -> None:
    """What one process does."""
    own = int(os.environ["RANK"])
    done, given = {}, json.loads(opts)
    models = [build(name) for name in given]  # before codebooks count all processes' codes
    for (name, values), model in zip(given.items(), models, strict=True):
        watch = Watch(int(step), place) if int(rank) == own else None
        done[name] = train(Path(out).parent / name, from_dict(Optimisation, values), model, watch)
    torch.save(done, f"{out}.{own}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InputError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
