"""What a training with a thread on each core takes beside others, over what it takes alone.

Another process is busy on each core. "threads sleep early" is as the commands train on a busy
machine (`refine_core.app.processes.threads`), "threads spin" as OpenMP has them wait by default.
"alone" is what sleeping early costs where nothing else runs. Measured in processes of their own,
for OpenMP reads how to wait when it is loaded.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
TURNS, STEPS = 5, 20
BUSY = "while True: pass"
TRAIN = f"""
import os
import sys
from refine_core.app.processes.threads import SPINS
if sys.argv[1] == "early":
    os.environ["GOMP_SPINCOUNT"] = SPINS
import time
import torch
from refine_core.tokens import Tokens
from refine_core.transformer import Transformer
net = Transformer(dim=96, depth=4, heads=4, levels=1, condition=96)
opt = torch.optim.AdamW(net.parameters())
level = torch.zeros(70, dtype=torch.int64)
def step():
    x = Tokens(torch.randn(64, 70, 96), level, condition=torch.randn(64, 96))
    with torch.autocast("cpu", torch.bfloat16):
        net(x).square().mean().backward()
    opt.step()
    opt.zero_grad()
step()
start = time.perf_counter()
for _ in range({STEPS}):
    step()
print(time.perf_counter() - start)
"""


def bench() -> dict[str, float]:
    """Ratios of seconds by name; two minutes, on a machine where nothing else runs."""
    alone = {how: median(_seconds(how) for _ in range(TURNS)) for how in ("early", "spin")}
    with _busy():
        beside = {how: median(_seconds(how) for _ in range(TURNS)) for how in ("early", "spin")}
    return {
        "beside busy processes, threads sleep early": beside["early"] / alone["early"],
        "beside busy processes, threads spin": beside["spin"] / alone["spin"],
        "alone, threads sleep early over spin": alone["early"] / alone["spin"],
    }


def _seconds(how: str) -> float:
    """What steps of a training take in a process of their own."""
    given = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, "-c", TRAIN, how]
    return float(subprocess.check_output(command, cwd=ROOT, env=given, text=True))


@contextmanager
def _busy() -> Iterator[None]:
    """A busy process on each core."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(_cores())]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _cores() -> int:
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return len(usable) or os.cpu_count() or 1
