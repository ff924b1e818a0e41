"""The configs that ship with Refine: in `configs/` of a checkout, beside the packages of a wheel.

Each goes by its domain and name, such as `weather/gcm`, or by its path in a checkout.
"""

from pathlib import Path

from refine_core.errors import suggest

_PARENT = Path(__file__).parents[2]
FOLDERS = (_PARENT / "refine_configs", _PARENT / "configs")
"""Where they are: in a wheel, and in a checkout."""


def config_file(path: str | Path) -> Path:
    """The file at a path; if there is none, the one that ships under this name, if any.

    >>> config_file("weather/gcm").name == config_file("configs/weather/gcm.yaml").name
    True
    """
    found = shipped_configs().get(_name(path))
    return found if found is not None and not Path(path).exists() else Path(path)


def shipped_configs() -> dict[str, Path]:
    """Files by name."""
    folder = next((each for each in FOLDERS if each.is_dir()), None)
    files = [] if folder is None else sorted(folder.glob("*/*.yaml"))
    return {f"{file.parent.name}/{file.stem}": file for file in files}


def near_config(path: str | Path) -> str:
    """What to say after a path at which there is no file: which name was probably meant."""
    return suggest(_name(path), shipped_configs())


def _name(path: str | Path) -> str:
    return Path(path).as_posix().removeprefix("configs/").removesuffix(".yaml")
