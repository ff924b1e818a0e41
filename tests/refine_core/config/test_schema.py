"""Config files: read into types, written back, and refused in sentences."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refine_core.config.schema import dump, from_dict, load, to_dict
from refine_core.errors import InputError
from tests.refine_core.config.setup import Grid, Model, Setup, Table


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "setup.yaml"


def refusal(path: Path, text: str | bytes | None = None) -> str:
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        load(Setup, path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_file_is_read_into_types(path: Path) -> None:
    path.write_text("""
name: first
rate: 1e-4    # YAML reads this as a string
model: {width: 8, sizes: [1, 3], guidance: [1, 2.5], codes: {kind: grid, levels: [5]}}
data: some/folder
stages: [{act: relu}, {}]
weights: {a: 1}
""")
    model = Model(width=8, sizes=(1, 3), guidance=(1.0, 2.5), codes=Grid(levels=(5,)))
    assert load(Setup, path) == Setup(
        name="first",
        rate=1e-4,
        model=model,
        data=Path("some/folder"),
        stages=(Model(act="relu"), Model()),
        weights={"a": 1.0},
    )


finite = st.floats(allow_nan=False, allow_infinity=False)
models = st.builds(
    Model,
    width=st.integers(1, 10**9).map(lambda half: 2 * half),
    sizes=st.lists(st.integers()).map(tuple),
    drop=st.none() | finite,
    span=st.tuples(finite, finite),
    guidance=finite | st.lists(finite).map(tuple),
    codes=st.builds(Table, codes=st.integers(1)) | st.builds(Grid),
)
setups = st.builds(
    Setup,
    name=st.text(),
    model=models,
    rate=finite,
    data=st.just(Path("a b/c: d")),
    shuffle=st.booleans(),
    stages=st.lists(models, max_size=2).map(tuple),
    weights=st.dictionaries(st.text(), finite),
)


@given(setup=setups)
def test_dump_reads_back(setup: Setup, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "dumped.yaml"
    path.write_text(dump(setup), encoding="utf-8")
    assert load(Setup, path) == setup
    assert from_dict(Setup, json.loads(json.dumps(to_dict(setup)))) == setup


def test_every_mistake_is_reported_at_once(path: Path) -> None:
    heading, *lines = refusal(
        path,
        """
nmae: first
rate: fast
shuffle: 3
model:
  widht: 8
  sizes: [1, x]
  drop: .nan
  span: [1]
  act: glu
  guidance: z
  codes: {kind: grid, levles: [1]}
stages: [{width: 3}, {}, 4]
weights: {a: b}
""",
    ).split("\n")
    found = dict(line.strip().split(": ", 1) for line in lines)
    assert heading == f"{path} has {len(lines)} mistakes:"
    assert found == {
        "name": "missing, expected a value",
        "nmae": "unknown, expected one of name, model, rate, data, shuffle, stages, last, weights."
        " Did you mean 'name'?",
        "rate": "found 'fast', expected a valid number",
        "shuffle": "found 3, expected a valid boolean",
        "model.widht": "unknown, expected one of width, sizes, drop, span, act, guidance, codes."
        " Did you mean 'width'?",
        "model.sizes.1": "found 'x', expected a valid integer",
        "model.drop": "found nan, expected a finite number, or null",
        "model.span.1": "missing, expected a value",
        "model.act": "found 'glu', expected 'gelu' or 'relu'. Did you mean 'gelu'?",
        "model.guidance": "found 'z', expected a valid number or found 'z', expected a list",
        "model.codes.levles": "unknown, expected one of kind, levels. Did you mean 'levels'?",
        "stages.0": "width is 3, expected an even number",
        "stages.2": "found 4, expected a mapping of fields",
        "weights.a": "found 'b', expected a valid number",
    }


def test_one_mistake_is_one_sentence(path: Path) -> None:
    message = refusal(path, "name: a\nmodel: {width: wide}\n")
    assert message == f"{path}: model.width: found 'wide', expected a valid integer"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("- name\n- rate\n", "holds ['name', 'rate']; expected one `field: value` a line"),
        ("name: a\nrate: 1\nname: b\n", "line 3, column 1: the key 'name' stands there a second"),
        ("model: {width: 2, width: 4}\n", "the key 'width' stands there a second"),
        ("name: [a\n", "is not valid YAML at line 2"),
        ("name: a: b\n", "is not valid YAML at line 1, column 8"),
        ("? [a]\n: b\n", "is not valid YAML"),
        ("name: !!python/object:os.system x\n", "is not valid YAML"),
        (b"\xff\xfe\x00\x99", "is not a text file"),
        (b"name: \x00", "is not a text file"),
        ("name: !!int abc\n", "holds a value that cannot be read (invalid literal"),
        ("name: !!bool abc\n", "holds a value that cannot be read"),
        ("name: &a [*a]\n", "cannot be read (Circular reference detected)"),
        ("rate: " + "[" * 5000 + "]" * 5000 + "\n", "holds a value that cannot be read"),
    ],
)
def test_file_that_is_no_config(text: str | bytes, said: str, path: Path) -> None:
    message = refusal(path, text)
    assert said in message and "\n" not in message


def test_missing_file_and_folder(path: Path, tmp_path: Path) -> None:
    assert "No such file" in refusal(path)
    assert "Is a directory" in refusal(tmp_path)


def test_constructor_refuses_in_the_same_words() -> None:
    with pytest.raises(InputError, match=r"^Model: width: found 0, expected greater than 0$"):
        Model(width=0)
    with pytest.raises(InputError, match=r"^Model has 2 mistakes: width: .* 0; drop: .* null$"):
        Model(width=0, drop=math.nan)
    with pytest.raises(InputError, match="Did you mean 'width'"):
        Model(widht=1)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="even number"):
        dataclasses.replace(Model(), width=3)


def test_config_is_frozen_and_hashable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Model().width = 8  # type: ignore[misc]
    assert hash(Model()) == hash(Model(width=64))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"data": {"source": "x"}}, "data: found {'source': 'x'}, expected a path"),
        ({"model": {"sizes": 0.5}}, "model.sizes: found 0.5, expected a list"),
    ],
)
def test_expected_types_are_not_those_of_python(data: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        from_dict(Setup, {"name": "n", **data}, "setup.yaml")
    assert said in str(caught.value)


def test_dates_are_text(path: Path) -> None:
    path.write_text("name: 2016-02-30\n")
    assert load(Setup, path).name == "2016-02-30"
