"""Places to write to are checked before the work, and left as they are."""

from pathlib import Path
from typing import Annotated

import pytest

from refine_core.app.options import arguments
from refine_core.app.outputs import OutputFolder, output_file, run_folder
from refine_core.errors import InputError
from tests.refine_core.storage.holder import holder


def draw(
    picture: Annotated[Path, output_file(".png", ".zarr")] = Path("x.png"),
    text: Annotated[Path | None, output_file()] = None,
    out_folder: OutputFolder = Path("new"),
) -> None:
    """Draw."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file and a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    for name in ("folder", "folder.png", "store.zarr"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--picture", "x.jpg"], "--picture x.jpg, expected a name that ends in .png or .zarr."),
        (["--picture", "x"], "Found --picture x, expected a name that ends in .png or .zarr."),
        (["--picture", "folder.png"], "--picture folder.png, which is a folder, expected a file."),
        (["--picture", "file/a/x.png"], "--picture file/a/x.png, but file is a file, expected a"),
        (["--text", "folder"], "Found --text folder, which is a folder, expected a file."),
        (["--out-folder", "file"], "Found --out-folder file, but file is a file, expected a f"),
        (["--out-folder", "file/x"], "Found --out-folder file/x, but file is a file"),
        (["--out-folder=a\0b"], r"Found '--out-folder a\x00b', expected a name without the cha"),
        (["--out-folder", "/proc/x"], "Found --out-folder /proc/x, but /proc cannot be written"),
    ],
)
def test_wrong_places(argv: list[str], said: str, here: Path) -> None:
    with pytest.raises(InputError) as caught:
        arguments(draw, argv, "refine draw")
    assert said in str(caught.value)


def test_places_that_can_be_written_are_left_as_they_are(here: Path) -> None:
    before = sorted(here.rglob("*"))
    argv = ["--picture", "store.zarr", "--text", "a/b/c.txt", "--out-folder", "folder/x/y"]
    arguments(draw, argv, "refine draw")
    arguments(draw, [], "refine draw")
    assert sorted(here.rglob("*")) == before


def test_outputs_are_held_while_the_command_runs(here: Path) -> None:
    seen = []

    def look(out: Annotated[Path, output_file()], folder: OutputFolder) -> None:
        seen.extend(sorted(str(path) for path in Path().rglob("*.lock")))

    arguments(look, ["--out", "a.smi", "--folder", "new/x"], "refine look")
    assert seen == [".a.smi.lock", "new/x/.lock"]


def test_the_command_is_told_who_writes_its_output(here: Path) -> None:
    with holder(here / "folder", "folder"):
        said = "Another process is writing folder: wait until process .* ends, or choose another"
        with pytest.raises(InputError, match=said):
            arguments(draw, ["--out-folder", "folder"], "refine draw")
        with pytest.raises(InputError, match=said), run_folder(Path("folder")):
            pass


def test_suffixes_are_alike_in_upper_and_lower_case() -> None:
    arguments(draw, ["--picture", "x.PNG"], "draw")
