"""Small files of every kind that commands read, as they should be."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from graphs.chem.files import write_molecules
from graphs.config import GraphsConfig
from graphs.datasets.config import DataConfig
from graphs.generators.contraction.config import ContractionConfig
from images.build import build_network
from images.config import DistillationConfig
from images.data.idx import write_idx
from images.data.load import LabelledImages
from images.evaluation.classifier import EVALUATORS, Evaluator, EvaluatorShape, EvaluatorSpec
from images.model import ImageModel
from images.tuning.config import MethodArm, MethodsConfig, SearchConfig
from refine_core.config.schema import to_dict
from tests.graphs.evaluation.untrained import untrained
from tests.images import tiny as tiny_images
from tests.images.experiments.test_ablation import CONFIG as ABLATION
from tests.images.study.test_build import CONFIG as STUDY
from tests.images.study.test_build import noise_images
from tests.weather import tiny as tiny_weather
from tests.weather.synthetic import atmosphere, times

XMLNS = "http://graphml.graphdrawing.org/xmlns"
Files = Mapping[str, bytes]
SMILES = ("CCO", "c1ccccc1O", "CC(N)=O", "N#CC1CC1O", "CC#N", "C=CCO", "CCF", "OCC1CC1")


def written(name: str, write: Callable[[Path], object]) -> Files:
    """What a function leaves at a path: the file, or the files of the folder."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        found = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
        return {each.relative_to(folder).as_posix(): each.read_bytes() for each in found}


@cache
def molecules() -> Files:
    """Small molecules in each format, and graphs."""
    table = "\n".join(["smiles,length", *(f"{text},{len(text)}" for text in SMILES * 3)])
    made = {"a.smi": "\n".join(SMILES * 3).encode(), "a.csv": table.encode()}
    made |= written("a.sdf", lambda path: write_molecules(list(SMILES), path))
    key = '<key id="d0" for="node" attr.name="label" attr.type="int"/>'
    graphs = "".join(map(_path, range(3, 15)))
    return made | {"a.graphml": f"<graphml xmlns='{XMLNS}'>{key}{graphs}</graphml>".encode()}


def _path(size: int) -> str:
    """A graph in a line, as GraphML."""
    nodes = "".join(f'<node id="{i}"><data key="d0">{i % 2}</data></node>' for i in range(size))
    edges = "".join(f'<edge source="{i}" target="{i + 1}"/>' for i in range(size - 1))
    return f'<graph edgedefault="undirected">{nodes}{edges}</graph>'


@cache
def pictures() -> Files:
    """Images in each format."""
    pixels = (tiny_images.IMAGES.train.images[:40] * 255).byte().numpy()
    labels = np.arange(40, dtype=np.uint8) % 2
    archive = BytesIO()
    np.savez(archive, images=pixels, labels=labels)
    made = {"a.npz": archive.getvalue()}
    idx = {"images-idx3": pixels[:, 0], "labels-idx1": labels}
    for kind, array in idx.items():
        for part in ("train", "t10k"):
            made |= written(f"idx/{part}-{kind}-ubyte", lambda p, a=array: _idx(p, a))  # type: ignore[misc]
    for place in range(20):
        picture = BytesIO()
        Image.fromarray(pixels[place, 0]).save(picture, "PNG")
        made[f"png/{place % 2}/{place}.png"] = picture.getvalue()
    return made


def archive(images: LabelledImages) -> bytes:
    """Images as an .npz."""
    made = BytesIO()
    pixels = (images.images * 255).byte().numpy()
    labels = images.labels
    assert labels is not None
    np.savez(made, images=pixels, labels=labels.numpy())
    return made.getvalue()


def judge(size: tuple[int, int], classes: int) -> Files:
    """An untrained classifier of images."""
    torch.manual_seed(0)
    shape = EvaluatorShape(1, size, classes)
    save = partial(EVALUATORS.save, module=Evaluator(1, size, classes), spec=EvaluatorSpec(shape))
    return written("judge.safetensors", save)


def _idx(path: Path, array: Any) -> None:
    path.parent.mkdir(parents=True)
    write_idx(path, array)


@cache
def maps() -> Files:
    """A small atmosphere in each format."""
    small = atmosphere(times(hours=12))
    made = dict(written("a.nc", lambda path: small.to_netcdf(path, engine="netcdf4")))
    stores = {2: "two.zarr", 3: "three.zarr"}
    for version, name in stores.items():
        made |= written(
            name,
            lambda p, v=version: small.to_zarr(p, zarr_format=v, consolidated=False),  # type: ignore[misc]
        )
    return made


@cache
def models() -> dict[str, bytes]:
    """An untrained model of each domain."""
    torch.manual_seed(0)
    with TemporaryDirectory() as folder:
        graphs = untrained(Path(folder) / "a.smi")
    images = ImageModel(
        build_network(tiny_images.CONFIG, (1, 11, 12), 2), tiny_images.CONFIG, (1, 11, 12), 2
    )
    made: dict[str, bytes] = {}
    savers = {"graphs": graphs.save, "images": images.save}
    weather = tiny_weather.untrained()
    data = replace(weather.config.data, source="a.nc")
    savers["weather"] = replace(weather, config=replace(weather.config, data=data)).save
    for name, save in savers.items():
        made |= written(f"{name}.safetensors", save)
    return made


def configs() -> dict[str, dict[str, Any]]:
    """A config of each domain that would train."""
    graphs = GraphsConfig(
        data=DataConfig(source="a.smi"), model=ContractionConfig(dim=16, depth=1)
    )
    images = replace(tiny_images.CONFIG, data=Path("a.npz"))
    weather = tiny_weather._config("a.nc", "refine")
    return {"graphs": to_dict(graphs), "images": to_dict(images), "weather": to_dict(weather)}


def sources(domain: str) -> Files:
    return {"graphs": molecules, "images": pictures, "weather": maps}[domain]()


def comparisons() -> dict[str, dict[str, Any]]:
    """A config of each command of images that trains more than one model, or a student."""
    base = replace(
        tiny_images.CONFIG,
        data=Path("a.npz"),
        holdout=20,
        tokenizer=replace(tiny_images.CONFIG.tokenizer, patch=7),
    )
    arms = (
        MethodArm("off", tune={"sampling.guidance": ([0.0], [1.0])}),
        MethodArm("told", {"generator.methods": ["self_conditioning"]}, calibrate="entropy"),
        MethodArm("student", student=DistillationConfig()),
    )
    space: dict[str, tuple[object, ...]] = {
        "sampling.guidance": ([0.0], [1.0]),
        "tokenizer.parts": ([1], [1, 2, 2]),
    }
    made: dict[str, Any] = {
        "ablate": replace(ABLATION, workers=1),
        "distil": DistillationConfig(
            data=Path("a.npz"), model="images.safetensors", training=tiny_images.TRAINING
        ),
        "methods": MethodsConfig(
            base=base, arms=arms, seeds=(0,), trials=2, samples=16, workers=1
        ),
        "search": SearchConfig(base=base, space=space, trials=2, fidelities=(1, 2), samples=16),
        "study": replace(
            STUDY, data=Path("a.npz"), judge=Path("judge.safetensors"), seeds=(0,), workers=1
        ),
    }
    return {name: to_dict(each) for name, each in made.items()}


@cache
def compared(command: str) -> Files:
    """What such a command reads beside its config."""
    if command == "distil":
        return {**pictures(), "images.safetensors": models()["images.safetensors"]}
    return {"a.npz": archive(noise_images(600)), **judge((28, 28), 10)}
