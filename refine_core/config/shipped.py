"""The configs that ship with Refine: in `configs/` of a checkout, beside the packages of a wheel.

Each goes by its domain and name, such as `weather/gcm`, by its name alone where the domain is
known, or by its path in a checkout.
"""

from pathlib import Path

from refine_core.errors import suggest

_PARENT = Path(__file__).parents[2]
FOLDERS = (_PARENT / "refine_configs", _PARENT / "configs")
"""Where they are: in a wheel, and in a checkout."""


def config_file(path: str | Path, domain: str = "") -> Path:
    """The file at a path; if there is none, the one that ships under this name, if any.

    >>> config_file("weather/gcm").name == config_file("gcm", "weather").name
    True
    """
    known = shipped_configs(domain)
    return known.get(_name(path), Path(path)) if not Path(path).is_file() else Path(path)


def shipped_configs(domain: str = "") -> dict[str, Path]:
    """Files by name; those of a domain by their names alone, too."""
    folder = next((each for each in FOLDERS if each.is_dir()), None)
    files = [] if folder is None else sorted(folder.glob("*/*.yaml"))
    own = {file.stem: file for file in files if file.parent.name == domain}
    return own | {f"{file.parent.name}/{file.stem}": file for file in files}


def near_config(path: str | Path, domain: str = "") -> str:
    """What to say after a path at which there is no file: which name was probably meant."""
    return suggest(_name(path), shipped_configs(domain))


def _name(path: str | Path) -> str:
    return Path(path).as_posix().removeprefix("configs/").removesuffix(".yaml")
