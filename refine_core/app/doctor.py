"""What this installation is, what it lacks, and whether anything in it is broken.

Torch is not imported, for that takes longer than everything else here together.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from getpass import getuser
from importlib.util import find_spec
from pathlib import Path

from refine_core import __version__
from refine_core.app.domains import Domain, domains
from refine_core.app.extras import DISTRIBUTION, extras, installed, required
from refine_core.storage.archive import default_cache
from refine_core.storage.integrity import as_installed, intact

PURPOSES = {
    "study": "`refine images study`",
    "cluster": "`--scheduler`",
    "judges": "`refine graphs judge`",
    "simulate": "`refine weather simulate`",
}
"""Commands for which extras are that are not a domain's."""
BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""Flags of processors that multiply bfloat16, of x86 and ARM."""
Section = Mapping[str, object]
"""Values by what they are of."""


def doctor(json: bool = False) -> None:
    """Show versions, devices, caches, shipped models, and which extras are missing for what.

    Ends with exit code 1 if something is broken, and says what. An extra that is missing is not.

    Args:
        json: Whether to print JSON in place of text.
    """
    found = examine()
    print(_as_json(found) if json else _as_text(found), end="")
    if found["broken"]:
        raise SystemExit(1)


def examine() -> dict[str, object]:
    """What `refine doctor --json` prints, as JSON values."""
    every = domains()
    models = {name: _model(path) for name, path in _shipped(every).items()}
    caches = {
        "data": _cache(default_cache()),
        "compiled kernels": _cache(_kernels()),
    }
    return {
        "versions": _versions(),
        "processor": _processor(),
        "devices": _devices(),
        "caches": caches,
        "models": models,
        "extras": {name: _extra(name, every) for name in _shown_extras()},
        "broken": _broken(every, models),
    }


def _shown_extras() -> list[str]:
    """Extras that a user may want for what they do."""
    return [name for name in extras() if name not in ("all", "dev")]


def _versions() -> Section:
    """Python, Refine and the packages that it needs or can use; null of those not installed."""
    optional = [name for extra in _shown_extras() for name in extras()[extra]]
    names = dict.fromkeys([*required(), *sorted(optional)])
    own = {"python": platform.python_version(), "refine": __version__}
    place = {"refine in": str(Path(__file__).parents[2]), "system": platform.platform()}
    return own | place | {name: installed(name) for name in names}


def _processor() -> Section:
    """Cores, those that this process may use, threads that it will use, and bfloat16."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS", "not set: torch takes one thread a core")
    return {
        "cores": os.cpu_count(),
        "usable cores": usable,
        "OMP_NUM_THREADS": threads,
        "multiplies bfloat16": _multiplies_bfloat16(),
    }


def _multiplies_bfloat16() -> bool | str:
    """Whether `bf16-mixed` pays on this processor, where the system says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "not known"
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return bool(BFLOAT16 & set(flags.split()))


def _devices() -> Section:
    """Graphics processors that the driver names, and for what torch is built."""
    build = (installed("torch") or "").partition("+")[2] or "default"
    found: list[str] = []
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        with suppress(OSError, subprocess.SubprocessError):  # a driver that is not there or hangs
            told = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
            found = told.stdout.strip().splitlines()
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.append("Apple (mps)")
    note = {"note": "torch is built for processors only"} if found and build == "cpu" else {}
    return {"graphics": found, "torch built for": build, **note}


def _kernels() -> Path:
    """Where torch keeps compiled kernels."""
    if chosen := os.environ.get("TORCHINDUCTOR_CACHE_DIR"):
        return Path(chosen)
    try:
        user = getuser()
    except (KeyError, OSError):  # one without an entry in /etc/passwd, as in containers
        user = str(os.getuid())
    return Path(tempfile.gettempdir()) / f"torchinductor_{user}"


def _cache(folder: Path) -> Section:
    """A folder's path, its size in MB, and whether it can be written."""
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return {
        "path": str(folder),
        "MB": round(size / 1e6, 1),
        "writable": there.is_dir() and os.access(there, os.W_OK),
    }


def _shipped(every: Mapping[str, Domain]) -> dict[str, Path]:
    """Files of weights that ship with domains, by domain and name."""
    found: dict[str, Path] = {}
    for name, domain in every.items():
        spec = find_spec(domain.entry.value.partition(":")[0].partition(".")[0])
        for folder in (spec.submodule_search_locations or []) if spec else []:
            files = sorted((Path(folder) / "weights").glob("*.safetensors"))
            found |= {f"{name}/{file.stem}": file for file in files}
    return found


def _model(path: Path) -> Section:
    """A file's path and size in MB, and whether its checksum is right."""
    noted, brought = intact(path), as_installed(path, DISTRIBUTION)
    known = [each for each in (noted, brought) if each is not None]
    return {
        "path": str(path),
        "MB": round(path.stat().st_size / 1e6, 1),
        "sha256": "right" if all(known) and known else "WRONG" if known else "not noted in it",
    }


def _extra(name: str, every: Mapping[str, Domain]) -> Section:
    """What an extra is for, and which of its packages are missing."""
    lacks = [package for package in extras()[name] if installed(package) is None]
    purpose = PURPOSES.get(name, f"`refine {name}`" if name in every else "your own use")
    remedy = {"remedy": f"pip install '{DISTRIBUTION}[{name}]'"} if lacks else {}
    return {"for": purpose, "missing": lacks, **remedy}


def _broken(every: Mapping[str, Domain], models: Mapping[str, Section]) -> list[str]:
    """What does not work, a sentence each."""
    lacks = [name for name in required() if installed(name) is None]
    said = [f"{name} is not installed: pip install {name}." for name in lacks]
    for name, domain in every.items():
        if (told := domain.summary()).startswith("BROKEN"):
            said.append(f"`refine {name}` is broken: {told.removeprefix('BROKEN: ')}.")
    wrong = [name for name, about in models.items() if about["sha256"] == "WRONG"]
    said += [f"The model {name} is damaged: install refine again." for name in wrong]
    if not _cache(default_cache())["writable"]:
        said.append(f"{default_cache()} cannot be written: set REFINE_CACHE to another folder.")
    return said


def _as_json(found: Mapping[str, object]) -> str:
    return json.dumps(found, indent=2) + "\n"


def _as_text(found: Mapping[str, object]) -> str:
    """A paragraph for each section, a line for each of its entries."""
    lines: list[str] = []
    for title, section in found.items():
        entries = section if isinstance(section, Mapping) else {"": section or "nothing"}
        width = max((len(name) for name in entries), default=0)
        lines += [title, *(f"  {n:{width}}  {_plain(v)}".rstrip() for n, v in entries.items()), ""]
    return "\n".join(lines)


def _plain(value: object) -> str:
    """A value as words."""
    if isinstance(value, Mapping):
        told = ((name, _plain(each)) for name, each in value.items())
        return ", ".join(each if name == "path" else f"{name} {each}" for name, each in told)
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    words = {True: "yes", False: "no", None: "not installed"}
    return words[value] if isinstance(value, bool | None) else str(value)
