"""The commands that read something, and the damaged input that each is given."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import strategies as st

from refine_core.config.schema import dump
from refine_core.storage import checkpoint
from tests.fuzz import materials
from tests.fuzz.damage import damaged, damaged_config, damaged_text, damaged_words
from tests.fuzz.law import Case
from tests.fuzz.materials import SMILES, maps, models, molecules, pictures
from tests.images import tiny as tiny_images
from tests.weather import tiny as tiny_weather

ODD = (
    *("C1CC", "C(", "[", "[Xx]", "[13CH4]", "C.C", "*C", "[H]", "[H][H]", "", " ", "c1cccc1"),
    *("C" * 400, "[Na+].[Cl-]", "F/C=C/F", "C[C@H](N)O", "\0", ",,,", '"', "$$$$", "M  END"),
    *("-1", "nan", "1e999", "999 999", "smiles", "[Fe](C)(C)(C)(C)(C)C", "C%99CC%99", "é"),
)


@st.composite
def configs(draw: st.DrawFn) -> Case:
    """Training by a damaged config, on data as they should be."""
    domain = draw(st.sampled_from(["graphs", "images", "weather"]))
    text = draw(damaged_config(materials.configs()[domain]))
    return Case(
        (domain, "train", "--config", "c.yaml"), {**materials.sources(domain), "c.yaml": text}
    )


NONE = "none.safetensors"
COMMANDS: dict[str, tuple[str, ...]] = {
    "graphs.cli.sample.sample": ("graphs", "sample", "--model", NONE),
    "graphs.cli.evaluate.evaluate": ("graphs", "evaluate", "--model", NONE),
    "graphs.cli.evaluate.likelihood": ("graphs", "likelihood", "--model", NONE),
    "graphs.cli.evaluate.compare": ("graphs", "compare", "--models", NONE),
    "graphs.cli.train.describe": ("graphs", "describe", "--source", "none.csv"),
    "images.cli.sample.sample": ("images", "sample", "--model", NONE),
    "images.cli.sample.edit": ("images", "edit", "--model", NONE),
    "images.cli.train.tune": ("images", "tune", "--model", NONE),
    "images.cli.tuning.calibrate": ("images", "calibrate", "--model", NONE),
    "images.cli.evaluate.evaluate": ("images", "evaluate", "--model", NONE),
    "weather.cli.forecast.forecast": ("weather", "forecast", "--model", NONE),
    "weather.cli.forecast.verify": ("weather", "verify", "none.zarr", "--truth", "none.nc"),
    "weather.cli.forecast.plot": ("weather", "plot", "none.zarr"),
    "weather.cli.train.calibrate": ("weather", "calibrate", "--model", NONE),
    "weather.cli.train.floor": ("weather", "floor", "--model", NONE),
    "weather.cli.data.regrid": ("weather", "regrid", "none.nc", "--grid", "4x8"),
    "weather.cli.data.simulate": ("weather", "simulate", "--truth", "none.zarr"),
}
"""Functions by where they are, and a command line of each that is refused in the end."""


def _flat(config: Mapping[str, Any], prefix: str = "--") -> list[str]:
    found = []
    for name, value in config.items():
        found.append(prefix + name.replace("_", "-"))
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{name}.")
    return found


@st.composite
def options(draw: st.DrawFn) -> Case:
    """Damaged options of a command whose model or data are not there."""
    if draw(st.booleans()):
        where, base = draw(st.sampled_from(sorted(COMMANDS.items())))
        module, _, name = where.rpartition(".")
        names = inspect.signature(getattr(import_module(module), name)).parameters
        known = [f"--{name.replace('_', '-')}" for name in names]
        return Case((*base, *draw(damaged_words((*known, "--device", "--config", "--help")))))
    domain = draw(st.sampled_from(["graphs", "images", "weather"]))
    config = materials.configs()[domain]
    source = "--data" if domain == "images" else "--data.source"
    known = [name for name in _flat(config) if name != source]
    words = draw(damaged_words((*known, "--time", "--device", "--config")))
    return Case((domain, "train", source, "none.npz", *words))


@st.composite
def graph_files(draw: st.DrawFn) -> Case:
    """Damaged files of molecules or graphs, described."""
    name, content = draw(st.sampled_from(sorted(molecules().items())))
    whole = content.decode()
    broken = draw(damaged_text(whole, (*SMILES, *ODD)) | damaged(content))
    return Case(("graphs", "describe", "--source", name, "--out", "out.txt"), {name: broken})


@st.composite
def image_files(draw: st.DrawFn) -> Case:
    """Damaged archives or folders of images, trained on."""
    source = draw(st.sampled_from(["a.npz", "idx", "png"]))
    files = {name: each for name, each in pictures().items() if name.startswith(source)}
    name = draw(st.sampled_from(sorted(files)))
    files |= {name: draw(damaged(files[name])), "c.yaml": dump(tiny_images.CONFIG).encode()}
    return Case(("images", "train", "--config", "c.yaml", "--data", source), files)


@st.composite
def weather_files(draw: st.DrawFn) -> Case:
    """Damaged states, prepared, put on another grid, verified or forecast from."""
    source = draw(st.sampled_from(["a.nc", "two.zarr", "three.zarr"]))
    files = {name: each for name, each in maps().items() if name.startswith(source)}
    if len(files) == 1 or draw(st.integers(0, 2)) == 0:
        name = draw(st.sampled_from(sorted(files)))
    else:  # what describes a store
        name = draw(st.sampled_from(sorted(n for n in files if Path(n).name[:2] in (".z", "za"))))
    files |= {name: draw(damaged(files[name]))}
    text = dump(tiny_weather._config(source, "refine")).encode()
    first = ("weather", draw(st.sampled_from(["prepare", "regrid", "verify", "forecast"])))
    rest = {
        "prepare": ("--config", "c.yaml"),
        "regrid": (source, "--grid", "2x4", "--out", "out.zarr"),
        "verify": (source, "--truth", source, "--out", "out"),
        "forecast": (
            *("--model", "weather.safetensors", "--init", source, "--members", "1"),
            *("--lead-days", "0.5", "--out", "out.zarr"),
        ),
    }[first[1]]
    return Case(first + rest, {**files, "c.yaml": text, **models()})


@st.composite
def checkpoints(draw: st.DrawFn) -> Case:
    """Damaged models, or models that say something else of themselves, sampled."""
    domain = draw(st.sampled_from(["graphs", "images", "weather"]))
    whole = models()[f"{domain}.safetensors"]
    broken = draw(damaged(whole) | foreign(domain))
    drawn = {
        "graphs": ("sample", "--count", "1", "--out", "out.smi"),
        "images": ("sample", "--count", "1", "--out", "out.png"),
        "weather": (
            *("forecast", "--init", "three.zarr", "--members", "1", "--lead-days", "0.5"),
            *("--out", "out.zarr"),
        ),
    }[domain]
    argv = (domain, drawn[0], "--model", "m.safetensors", *drawn[1:])
    files = {name: each for name, each in maps().items() if name.startswith("three")}
    return Case(argv, {"m.safetensors": broken, **(files if domain == "weather" else {})})


@st.composite
def foreign(draw: st.DrawFn, domain: str) -> bytes:
    """A model whose header was changed, with a checksum that is right."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        path.write_bytes(models()[f"{domain}.safetensors"])
        found = checkpoint.load(path, f"{domain}.model")
        meta = {name: found.meta[name] for name in found.meta if name not in ("half", "versions")}
        try:
            changed = yaml.safe_load(draw(damaged_config(meta)))
        except (yaml.YAMLError, UnicodeDecodeError, ValueError):
            changed = {}
        changed = changed if isinstance(changed, dict) else {}
        tensors = dict(found.tensors)
        if draw(st.integers(0, 3)) == 0:
            tensors.pop(draw(st.sampled_from(sorted(tensors))))
        checkpoint.save(path, tensors, {"kind": meta["kind"], "config": None, **changed})
        return path.read_bytes()


def comparison(command: str) -> Callable[[], st.SearchStrategy[Case]]:
    """A command of images by a damaged config, on data as they should be."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Case:
        text = draw(damaged_config(materials.comparisons()[command]))
        argv = ("images", command, "--config", "c.yaml")
        return Case(argv, {**materials.compared(command), "c.yaml": text})

    return drawn


TARGETS = {
    "configs": configs,
    **{f"{command} configs": comparison(command) for command in materials.comparisons()},
    "options": options,
    "graph files": graph_files,
    "image files": image_files,
    "weather files": weather_files,
    "checkpoints": checkpoints,
}
