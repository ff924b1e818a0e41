"""Run every benchmark and write its ratios to results/bench/<name>.json (`make bench`).

`python -m tests.bench.run memory` runs one of them.
"""

import platform
import sys
from pathlib import Path

import torch

from refine_core.storage.checkpoint import versions
from refine_core.storage.files import write_json
from tests.bench import memory, quantizer, refiner, threads, throughput, weather, weather_loader

OUT = Path(__file__).parents[2] / "results" / "bench"


def main() -> None:
    """One thread, so that ratios do not depend on the count of cores."""
    torch.set_num_threads(1)
    machine = {"processor": platform.machine(), "threads": 1, **versions()}
    modules = {
        "memory": memory,
        "quantizer": quantizer,
        "refiner": refiner,
        "threads": threads,
        "throughput": throughput,
        "weather": weather,
        "weather_loader": weather_loader,
    }
    for name in sys.argv[1:] or modules:
        ratios = {key: round(value, 4) for key, value in modules[name].bench().items()}
        write_json(OUT / f"{name}.json", {"machine": machine, "ratios": ratios})
        for key, value in ratios.items():
            print(f"{name}: {key}: {value:.2f}")


if __name__ == "__main__":
    main()
