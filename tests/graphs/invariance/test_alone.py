"""The test kit is a tool of its own: it brings nothing of the rest of graphs with it."""

import subprocess
import sys

USE = """
import sys
import torch
from torch import nn
import graphs.invariance as kit

class Sum(nn.Module):
    def forward(self, x, adjacency, valid):
        return adjacency @ (x * valid[:, :, None])

kit.assert_permutation_equivariant(Sum(), kit.dense_example(dim=4))
for name in kit.__all__:
    getattr(kit, name)
print(*sorted(sys.modules))
"""


def test_what_is_imported() -> None:
    ran = subprocess.run([sys.executable, "-c", USE], check=True, capture_output=True, text=True)
    modules = ran.stdout.split()
    rooms = {name.split(".")[1] for name in modules if name.startswith("graphs.")}
    assert rooms == {"invariance", "data"}
    core = {name.split(".")[1] for name in modules if name.startswith("refine_core.")}
    assert core <= {"app", "errors", "exports", "noise", "storage"}
    others = {name.partition(".")[0] for name in modules}
    assert not others & {"rdkit", "torch_geometric", "matplotlib", "pydantic", "tyro", "lightning"}
