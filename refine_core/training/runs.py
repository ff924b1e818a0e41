"""The folder of a run: its configuration, how it was started, its metrics and its checkpoint.

`runs/<name>/` holds `config.yaml` (resolved), `run.json` (seed, versions, command, and what was
settled when the run was begun), `metrics.csv` and `metrics.json` (one row per epoch), and
`last.safetensors` (from which the run continues).
"""

import csv
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from refine_core.config import schema as configs
from refine_core.storage.checkpoint import versions
from refine_core.storage.files import finite, read_json, write_json, write_text
from refine_core.storage.lock import is_first

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A run, whose files the first process of `torchrun` writes, and all read.

    Args:
        path: The folder.
        config: The resolved configuration, as JSON values.
        data: Digest of the data, so that a run is not continued on other data under the same name.
    """

    path: Path
    config: dict[str, object]
    data: str = ""

    @classmethod
    def start(cls, path: Path, config: object, seed: int, data: str = "") -> "Run":
        """Create the folder and record configuration, seed, versions and command in it.

        A folder that exists is left as it is, for its run to be continued.
        """
        run = cls(Path(path), configs.to_dict(config), data)
        if is_first() and not (run.path / "config.yaml").exists():
            about = {"seed": seed, "data": data, "versions": versions(), "command": sys.argv}
            write_json(run.path / "run.json", about)
            run.write_config()  # last, as it says that both are there
        return run

    def settle(self, name: str, find: Callable[[], T]) -> T:
        """What is found when the run is begun, a JSON value, which a run that goes on keeps."""
        path = self.path / "run.json"
        about: dict[str, T] = {}
        if path.exists():
            about = read_json(path, dict, "delete the folder, or choose another --name")
        if name not in about:
            about[name] = find()
            if is_first():
                write_json(path, about)
        return about[name]

    def write_config(self) -> None:
        """Replace config.yaml."""
        if is_first():
            write_text(self.path / "config.yaml", configs.dump(self.config))

    def write_metrics(self, history: Sequence[Mapping[str, float]]) -> None:
        """Replace metrics.csv and metrics.json by `history`, one row per epoch."""
        if not is_first():
            return
        names = list(dict.fromkeys(name for row in history for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(history)
        write_text(self.path / "metrics.csv", text.getvalue())
        write_json(self.path / "metrics.json", finite(history))
