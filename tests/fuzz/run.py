"""`make fuzz`: 2,000 damaged inputs, and what they found; exits with 1 if that is anything."""

import argparse
import os
import random
import shutil
import subprocess
import sys
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.law import Case, TooLong, hold
from tests.fuzz.targets import TARGETS

FOUND = Path("runs/fuzz")
"""Inputs that broke the law."""
ROOT = Path(__file__).parents[2]
SLICE = 50
"""Inputs of one process."""


def main() -> None:
    """Share inputs out to processes, one after the other, for a library may crash."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--target", choices=TARGETS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        raise SystemExit(campaign(given.target, given.count, given.seed))
    names = [given.target] if given.target else list(TARGETS)
    broken, done = 0, 0
    while done < given.count:
        for name in names:
            count = min(SLICE, given.count - done)
            if count:
                broken += _in_process(name, count, given.seed + done)
            done += count
    print(f"{done} inputs by seed {given.seed}, {broken} slices with findings")
    raise SystemExit(broken > 0)


def _in_process(name: str, count: int, start: int) -> bool:
    command = [sys.executable, "-m", "tests.fuzz.run", "--here", "--target", name]
    command += ["--count", str(count), "--seed", str(start)]
    ended = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, **ALONE})
    if ended.returncode < 0:
        print(f"{name}: the process crashed (signal {-ended.returncode}) on {FOUND / 'last'}")
    return ended.returncode != 0


ALONE = {"OMP_NUM_THREADS": "1", "REFINE_WORKERS": "1", "REFINE_DEVICE": "cpu"}


def campaign(name: str, count: int, start: int) -> int:
    """Try so many inputs of a target; return the number of findings."""
    codes: Counter[int] = Counter()
    found: dict[str, Case] = {}

    @seed(start)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(TARGETS[name]())
    def each(case: Case) -> None:
        _keep(case, FOUND / "last")
        try:
            codes[hold(case)] += 1
        except (Exception, TooLong) as error:
            found.setdefault(_place(error), case)

    each()
    print(f"{name}: {sum(codes.values())} of {count} as they should be, {dict(codes)}", flush=True)
    for place, case in found.items():
        folder = FOUND / f"{name.replace(' ', '_')}-{start}-{abs(hash(place)) % 10**6}"
        _keep(case, folder)
        print(f"  {place}\n    refine {' '.join(map(repr, case.argv))}\n    {folder}", flush=True)
    return len(found)


def _place(error: BaseException) -> str:
    """The error and where it was raised, which tells findings apart."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if "/tests/fuzz/" not in f.filename
    ]
    ours = [f for f in frames if str(ROOT) in f.filename][-1:]
    where = [f"{Path(f.filename).name}:{f.lineno}" for f in [*ours, *frames[-1:]]]
    return f"{type(error).__name__}: {str(error)[:300]} at {' '.join(where)}"


def _keep(case: Case, folder: Path) -> None:
    """Write the files of a case, and its command."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case.write(folder)
    (folder / "command.txt").write_text(repr(case.argv))


if __name__ == "__main__":
    main()
