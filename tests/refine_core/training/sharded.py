"""Trains a small refiner whose state is sharded over processes, and writes what came out."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from refine_core.config.schema import from_dict, to_dict
from refine_core.errors import InputError
from refine_core.refiner import Refiner
from refine_core.training.callbacks import Callback
from refine_core.training.config import Optimisation
from refine_core.training.data import Tensors
from refine_core.training.loop import fit
from refine_core.training.runs import Run
from refine_core.training.sharding import local
from refine_core.training.state import Row, TrainState
from tests.refine_core.tiny import DIM, refiner

OPT = Optimisation(
    epochs=3, batch=12, learning_rate=0.02, ema=0.9, fsdp=True, save_minutes=0.0, warmup=0.0
)
Model = Refiner[Tensor, Tensor, Tensor, Tensor]


class Watch(Callback[Model]):
    """Counts the bytes that this process holds, and kills it after a step."""

    def __init__(self, kill: int) -> None:
        self.kill, self.bytes = kill, {"weights": 0, "state": 0}

    def end_step(self, state: TrainState[Model]) -> None:
        if state.step == self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        held = {name: local(each).nbytes for name, each in state.tensors().items()}
        weights = sum(size for name, size in held.items() if name.startswith("model/"))
        self.bytes = {"weights": weights, "state": sum(held.values())}


def samples() -> Tensors:
    x = torch.randn(48, DIM, 5, 5, generator=torch.Generator().manual_seed(0))
    return Tensors(x, torch.arange(48) % 3)


def validate(model: Model) -> Row:
    """Also what no call of `forward` computes."""
    x, context = samples().tensors
    return {"nats": -float(model.code_log_prob(x[:4], context[:4]).sum())}


def train(folder: Path, opt: Optimisation, kill: int = -1) -> dict[str, Any]:
    watch = Watch(kill)
    run, model = Run.start(folder, opt, 1), refiner().train()
    fitted, history = fit(
        model, samples(), opt, seed=1, run=run, validate=validate, callbacks=[watch], quiet=True
    )
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history]
    return {"weights": fitted.state_dict(), "rows": rows, "bytes": watch.bytes}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    rank = int(os.environ["RANK"])
    opt = from_dict(Optimisation, {**to_dict(OPT), **given["opt"]})
    try:
        kill = given["kill"] if rank == given["rank"] else -1
        torch.save(train(Path(given["folder"]), opt, kill), f"{given['out']}.{rank}")
    except InputError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
