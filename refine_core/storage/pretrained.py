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
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from torch import Tensor, nn

from refine_core.config.schema import from_dict, to_dict
from refine_core.device import Device, find_device
from refine_core.errors import InputError, suggest
from refine_core.storage import checkpoint

RESULT = "model.safetensors"
"""Name of the trained model in the folder of a run."""
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
    """

    kind: str
    spec: type[Spec]
    shipped: Path
    hidden: tuple[str, ...] = ()

    def save(
        self, path: Path, module: nn.Module, spec: Spec, *, half: bool = True, small: bool = False
    ) -> None:
        """Write a model as one file; `half` and `small` as in `checkpoint.save`."""
        meta = {"kind": self.kind, **to_dict(spec)}
        checkpoint.save(path, module.state_dict(), meta, half=half, small=small)

    def load(self, name: str | Path) -> Saved[Spec]:
        """Read a model; see `find` for what `name` may be.

        Raises:
            InputError: There is no such model, or the file is damaged or of another kind.
        """
        path = self.find(name)
        saved = checkpoint.load(path, self.kind, remedy=self._remedy(path))
        return Saved(path, from_dict(self.spec, saved.meta, str(path)), saved.tensors)

    def _remedy(self, path: Path) -> str:
        """What to do about a damaged file, by where it comes from."""
        if path.parent == self.shipped:
            return "install refine again"
        stages = [*path.parent.glob("run.json"), *path.parent.glob("*/run.json")]
        if path.name == RESULT and stages:  # in the folder of its training
            return f"start the training of {path.parent} again, which goes on and writes it anew"
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
