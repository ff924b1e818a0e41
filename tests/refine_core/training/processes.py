"""Trains toys in one of several processes, and writes what came out."""

import sys
from dataclasses import replace

import torch
from torch import Tensor

from refine_core.training.loop import fit
from refine_core.training.state import Row
from tests.refine_core.training.toys import OPT, Bits, Line, Ragged, data, seeded

KINDS = (Line, Ragged, Bits)


def train(kind: type[Line | Ragged | Bits]) -> tuple[dict[str, Tensor], Row]:
    module = seeded(kind)
    if isinstance(module, Line):
        module.dropout.p = 0.0
    opt = replace(OPT, accumulate=1 if kind is Bits else 2)
    fitted, history = fit(module, data(), opt, seed=1, quiet=True)
    return fitted.state_dict(), history[-1]


if __name__ == "__main__":
    torch.save([train(kind) for kind in KINDS], sys.argv[1])
