"""A run's folder: what was asked for, with what, and what came out.

`runs/<name>/` holds `config.yaml` (resolved), `run.json` (seed, versions, command), `metrics.csv`
and `metrics.json` (one row per epoch), and `last.safetensors` (from which the run continues).
"""

import csv
import io
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from refine_core import config as configs
from refine_core.files import write_json, write_text


@dataclass(frozen=True)
class Run:
    """Folder of one run, and the resolved configuration it was started with."""

    path: Path
    config: dict[str, Any]

    @classmethod
    def start(cls, path: Path, config: Any, seed: int) -> "Run":
        """Create (or take up) the folder and record configuration, seed, versions and command."""
        run = cls(Path(path), configs.to_dict(config))
        if not (run.path / "config.yaml").exists():
            write_text(run.path / "config.yaml", configs.dump(config))
            write_json(
                run.path / "run.json", {"seed": seed, "versions": versions(), "command": sys.argv}
            )
        return run

    def write_metrics(self, history: Sequence[dict[str, float]]) -> None:
        """Replace metrics.csv and metrics.json by `history`, one row per epoch."""
        names = list(dict.fromkeys(name for row in history for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(history)
        write_text(self.path / "metrics.csv", text.getvalue())
        write_json(self.path / "metrics.json", list(history))


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    names = ("refine", "torch", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in names}
