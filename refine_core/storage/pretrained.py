"""Trained models of one kind: each is one file, and some files ship with a package.

A domain states once what its models are rebuilt from, and has saving, finding and loading of them:

    @dataclass(frozen=True)
    class Spec:
        config: SignalsConfig
        length: int

    MODELS = Pretrained("signals.model", Spec, Path(__file__).parent / "weights")

    MODELS.save(path, refiner, Spec(config, length))
    saved = MODELS.load("sines")
    refiner = saved.restore(build(saved.spec.config, saved.spec.length))

To be shared, a model is a folder of three files, whose names are those of huggingface_hub: its
`upload_folder` and `snapshot_download` bring it to others and back.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from refine_core.config.schema import dump, from_dict, to_dict
from refine_core.device import Device, find_device
from refine_core.errors import InputError, suggest
from refine_core.storage import checkpoint, model_card
from refine_core.storage.files import digest, sha256, write_json, write_text
from refine_core.storage.lock import is_first
from refine_core.storage.model_card import ModelCard

RESULT = "model.safetensors"
"""Name of the trained model in the folder of a run."""
CONFIG = "config.json"
"""Name of what a shared model is rebuilt from, beside it."""
Spec = TypeVar("Spec")
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Saved(Generic[Spec]):
    """A trained model as read from its file."""

    path: Path
    spec: Spec
    """What the module is rebuilt from."""
    tensors: dict[str, Tensor]
    """Its state dict, on the CPU."""
    changed: str = ""
    """What config.json says beside it, where that is something else than the file."""

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that identify the model."""
        whole = sha256(self.path)
        return digest(whole, self.changed) if self.changed else whole[:16]

    def restore(self, module: Module, device: Device = "auto") -> Module:
        """Load the weights into a freshly built module; return it there in evaluation mode.

        Raises:
            InputError: The weights do not fit the module, or there is no such device.
        """
        there = find_device(device)
        checkpoint.load_into(module, self.tensors)
        return module.eval().to(there)


@dataclass(frozen=True)
class Pretrained(Generic[Spec]):
    """Saves, finds and loads the models of one kind.

    Args:
        kind: Names the kind in each file, for example `images.model`.
        spec: A dataclass with a field `config`. It holds what a model is rebuilt from, and its
            fields are JSON values, or dataclasses and tuples of such.
        shipped: Folder of the models that ship with the package, as `<name>.safetensors`.
        hidden: Names in that folder that are not models of this kind.

    >>> from dataclasses import dataclass
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> import refine_core as rc
    >>> @dataclass(frozen=True)
    ... class Spec:
    ...     config: rc.Optimisation  # in fact, the config of your domain
    ...     width: int
    >>> with TemporaryDirectory() as folder:
    ...     models = rc.Pretrained("signals.model", Spec, shipped=Path(folder))
    ...     spec = Spec(rc.Optimisation(epochs=5), width=4)
    ...     models.save(Path(folder, "sines.safetensors"), torch.nn.Linear(4, 2), spec)
    ...     saved = models.load("sines")
    >>> module = saved.restore(torch.nn.Linear(saved.spec.width, 2), "cpu")
    >>> saved.spec.config.epochs, module.training
    (5, False)
    """

    kind: str
    spec: type[Spec]
    shipped: Path
    hidden: tuple[str, ...] = ()

    def save(
        self, path: Path, module: nn.Module, spec: Spec, *, half: bool = True, small: bool = False
    ) -> None:
        """Write a model as one file; `half` and `small` as in `checkpoint.save`.

        Of the processes of `torchrun`, which have trained it together, the first writes it.
        """
        meta = {"kind": self.kind, **to_dict(spec)}
        if is_first():
            checkpoint.save(path, module.state_dict(), meta, half=half, small=small)

    def save_folder(
        self, folder: Path, module: nn.Module, spec: Spec, card: ModelCard, *, half: bool = True
    ) -> None:
        """Write a model to be shared: model.safetensors, config.json and README.md in a folder.

        Args:
            folder: Is made if it is not there; other files in it stay.
            module: The model.
            spec: What it is rebuilt from; goes to config.json.
            card: What README.md says.
            half: As in `checkpoint.save`.

        Raises:
            InputError: There is a file in place of the folder.
        """
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, expected a folder for the model: name another.")
        plain = to_dict(spec)
        (folder / CONFIG).unlink(missing_ok=True)  # never that of another model beside new weights
        self.save(folder / RESULT, module, spec, half=half)
        write_json(folder / CONFIG, {"model_type": self.kind, **plain})
        write_text(folder / model_card.FILE, card.markdown(dump(plain["config"])))

    def load(self, name: str | Path) -> Saved[Spec]:
        """Read a model; see `find` for what `name` may be.

        Where config.json stands beside model.safetensors, it says what the model is built from.

        Raises:
            InputError: There is no such model, or the file is damaged or of another kind, or
                config.json is.
        """
        path = self.find(name)
        saved = checkpoint.load(path, self.kind, remedy=self._remedy(path))
        spec = from_dict(self.spec, saved.meta, str(path))
        beside = path.with_name(CONFIG)
        if path.name != RESULT or not beside.is_file():
            return Saved(path, spec, saved.tensors)
        found = self._read_config(beside)
        return Saved(path, found, saved.tensors, "" if found == spec else repr(to_dict(found)))

    def _read_config(self, path: Path) -> Spec:
        """What config.json says that a model is built from."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            data = None
        if not isinstance(data, dict) or data.pop("model_type", None) != self.kind:
            raise InputError(
                f"{path} is not the config of a model of kind {self.kind!r}: remove it, so that "
                f"the config in {RESULT} is used, or give another folder."
            )
        return from_dict(self.spec, data, str(path))

    def _remedy(self, path: Path) -> str:
        """What to do about a damaged file, by where it comes from."""
        if path.parent == self.shipped:
            return "install refine again"
        stages = [*path.parent.glob("run.json"), *path.parent.glob("*/run.json")]
        if path.name == RESULT and stages:  # in the folder of its training
            return f"start the training of {path.parent} again, which goes on and writes it anew"
        if path.name == RESULT and not path.with_name(CONFIG).exists():  # a run without stages
            return "train it again"
        return checkpoint.REMEDY

    def names(self) -> dict[str, Path]:
        """The models that ship with the package: name and file."""
        files = sorted(self.shipped.glob("*.safetensors"))
        return {path.stem: path for path in files if path.stem not in self.hidden}

    def find(self, name: str | Path) -> Path:
        """File of a model that ships under this name, or that is given by path.

        Args:
            name: A shipped model's name, a run's folder (with `model.safetensors`), or a file.

        Raises:
            InputError: There is no such model.
        """
        known = self.names()
        if str(name) in known:
            return known[str(name)]
        path = Path(name)
        path = path / RESULT if path.is_dir() else path
        if path.exists():
            return path
        choices = ", ".join([*map(repr, known), "a run's folder, or a .safetensors file"])
        near = suggest(str(name), known)
        raise InputError(f"There is no model {str(name)!r}: give {choices}.{near}")


class StoredModel(ABC):
    """What a user holds of a domain, and how it is saved; the domain says of what it consists."""

    @property
    @abstractmethod
    def _stored(self) -> tuple[Pretrained[Any], nn.Module, Any]:
        """Where models of its kind are kept, its module, and what that is rebuilt from."""

    @abstractmethod
    def _card(self) -> ModelCard:
        """What README.md says of it."""

    def save(self, path: Path, *, half: bool = True, small: bool = False) -> None:
        """Write the model as one safetensors file; `half` and `small` as in `checkpoint.save`."""
        models, module, spec = self._stored
        models.save(path, module, spec, half=half, small=small)

    def save_pretrained(self, folder: str | Path, *, half: bool = True) -> None:
        """Write the model to be shared: a folder with its weights, config and model card.

        Args:
            folder: Is made if it is not there.
            half: Whether weights are written in half precision.

        Raises:
            InputError: There is a file in place of the folder.
        """
        models, module, spec = self._stored
        models.save_folder(Path(folder), module, spec, self._card(), half=half)
