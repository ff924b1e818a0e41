"""Options of a command: the parameters of a function, checked before it is called.

A parameter that is a config is read from `--config FILE`, and each of its fields is an option too,
as in `--model.width 128`. What an annotation demands, such as a least value or a suffix, is
checked before any work starts.
"""

import dataclasses
import inspect
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from types import UnionType
from typing import TYPE_CHECKING, Annotated, TypeVar, Union, get_args, get_origin, get_type_hints

from refine_core.errors import InputError

if TYPE_CHECKING:
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec

T = TypeVar("T")
Hints = Mapping[str, object]
"""Annotations by the name of what they annotate."""


def arguments(target: Callable[..., T], argv: Sequence[str], prog: str) -> T:
    """Call a function with the options of a command line.

    An option that takes several values may be given several times: its values are put together.

    Args:
        target: Its parameters are the options, those before a `/` without a name; annotations say
            what an option admits, and their documentation is what `--help` shows. One parameter
            may be a config.
        argv: The options; hyphens and underscores in their names mean the same.
        prog: The command, as `--help` shows it.

    Raises:
        InputError: An option is unknown, missing, given twice, or has a value that does not fit;
            or the config file does not fit.
        SystemExit: With code 0, after `--help`.
    """
    import tyro  # here, for it takes longer to import than `refine --help` should take

    hints = get_type_hints(target, include_extras=True)
    hints.pop("return", None)
    try:
        bind, argv, note = _binding(target, hints, argv)
        said = io.StringIO()
        with redirect_stderr(said):
            given = tyro.cli(
                bind,
                args=_joined(argv, _options(hints)),
                prog=prog,
                description=f"{_description(target)}\n\n{note}".strip(),
                config=(tyro.conf.AvoidSubcommands,),
                registry=_registry(),
            )
        _check(hints, given.arguments)
    except SystemExit as end:
        if not end.code:
            raise
        raise InputError(f"{_unboxed(said.getvalue())} {_advice(prog)}") from None
    except _Misfit as error:
        raise InputError(f"{error} {_advice(prog)}") from None
    from refine_core.app.outputs import outputs_held

    with outputs_held(hints, given.arguments):
        return target(*given.args, **given.kwargs)


class _Misfit(InputError):
    """An option that does not fit; the sentence wants advice where to read about options."""


def _binding(
    function: Callable[..., object], hints: Hints, argv: Sequence[str]
) -> tuple[Callable[..., inspect.BoundArguments], list[str], str]:
    """Make a function that only binds arguments, so that what a call prints is not intercepted.

    Returns:
        The function, in which a config's fields are options of their own and have the values of
        its file; the options without `--config`; a note on the values for `--help`.
    """
    import tyro

    signature = inspect.signature(function)

    def bind(*args: object, **options: object) -> inspect.BoundArguments:
        given = signature.bind(*args, **options)
        given.apply_defaults()
        return given

    parameters = dict(signature.parameters)
    argv, shown, note = list(argv), dict(hints), ""
    for name, hint in hints.items():
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            from refine_core.config.kinds import of_kinds
            from refine_core.config.schema import load

            argv, path = _config_path(argv)
            kinds = _kinds(argv)
            sections = _sections(hint, argv)
            if path is not None or kinds:
                default = hint() if path is None else load(hint, path)
                default = of_kinds(default, kinds, "the options")
                absent = {k: v() for k, v in sections.items() if getattr(default, k) is None}
                default = dataclasses.replace(default, **absent)
                parameters[name] = parameters[name].replace(default=default)
            source = "the defaults" if path is None else f"those of {path}"
            note = f"The values shown are {source}; `--config FILE` reads another file."
            shown[name] = Annotated[hint, tyro.conf.arg(name="")]
    ordered = sorted(parameters.values(), key=lambda each: each.default is not each.empty)
    # Descriptions of several lines become one, which `--help` breaks where the terminal ends.
    bind.__doc__ = re.sub(r"\n {8,}", " ", inspect.getdoc(function) or "")
    bind.__annotations__ = shown
    vars(bind)["__signature__"] = inspect.Signature(ordered)
    return bind, argv, note


def _registry() -> "ConstructorRegistry":
    """How options are read that tyro cannot read: mappings of mappings, each word in YAML."""
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

    registry = ConstructorRegistry()

    @registry.primitive_rule
    def in_yaml(info: PrimitiveTypeInfo) -> "PrimitiveConstructorSpec[object] | None":
        arguments = get_args(info.type)
        if get_origin(info.type) is not dict or get_origin(arguments[1]) is not dict:
            return None
        return PrimitiveConstructorSpec(
            nargs="*",
            metavar="[NAME|{NAME: {FIELD: VALUE}} [...]]",
            instance_from_str=lambda words: [_from_yaml(word) for word in words],
            is_instance=lambda value: isinstance(value, dict),
            str_from_instance=lambda value: [str({name: value[name]}) for name in value],  # type: ignore[index,attr-defined]
        )

    return registry


def _from_yaml(word: str) -> object:
    import yaml

    try:
        return yaml.safe_load(word)
    except yaml.YAMLError:
        raise ValueError(
            f"found {word!r}, expected a name, or fields as in {{a: {{b: 1}}}}"
        ) from None


def _kinds(argv: Sequence[str]) -> dict[str, str]:
    """The kinds of sections that options such as `--model.kind NAME` ask for, by dotted path."""
    pairs = zip(argv, [*argv[1:], ""], strict=False)  # none follows the last
    split = [(*word.partition("="), after) for word, after in pairs if word.startswith("--")]
    given = [(option[2:], value if sign else after) for option, sign, value, after in split]
    return {path.replace("-", "_"): kind for path, kind in given if path.endswith(".kind")}


def _sections(cls: type, argv: Sequence[str]) -> dict[str, type]:
    """The sections that options ask for, of those that a config of class `cls` may lack."""
    asked = {word[2:].partition(".")[0].replace("-", "_") for word in argv if "." in word}
    hints = get_type_hints(cls, include_extras=True)
    return {
        name: section
        for name, hint in hints.items()
        if name in asked and type(None) in get_args(hint)
        for section in _classes(hint)[:1]
    }


def _config_path(argv: list[str]) -> tuple[list[str], str | None]:
    """Take `--config FILE` or `--config=FILE` out of the options."""
    rest, found = [], []
    words = iter(argv)
    for word in words:
        if word == "--config":
            found.append(next(words, ""))
        elif word.startswith("--config="):
            found.append(word.partition("=")[2])
        else:
            rest.append(word)
    if len(found) > 1:
        raise InputError(f"Found --config {' and '.join(found)}, expected one YAML file.")
    if found and (not found[0] or found[0].startswith("--")):
        raise InputError("Found --config without a value, expected a YAML file.")
    return rest, found[0] if found else None


def _options(hints: Hints) -> dict[str, object]:
    """Annotations of all options: the fields of a config stand beside the other parameters."""
    found: dict[str, object] = {}
    for name, hint in hints.items():
        is_config = isinstance(hint, type) and dataclasses.is_dataclass(hint)
        found |= get_type_hints(hint, include_extras=True) if is_config else {name: hint}
    return found


def _joined(argv: Sequence[str], hints: Hints) -> list[str]:
    """Put the values of an option of several values together, at its first place.

    Raises:
        InputError: An option of one value is given twice.
    """
    group: list[str] = []  # the option that is being read, with its values
    groups, first = [group], dict[str, list[str]]()
    for word in argv:
        option, sign, value = word.partition("=")
        if not word.startswith("--"):
            group.append(word)
            continue
        name, hint = _field(hints, option[2:].replace("-", "_"))
        if hint is None or name not in first:
            group = first[name] = [word]
            groups.append(group)
        elif _several(hint):
            group = first[name]
            group[:1] = group[0].split("=", 1)
            group += [value] if sign else []
        else:
            raise _Misfit(f"Found {option} twice, expected it once.")
    return [word for each in groups for word in each]


def _field(hints: Hints, option: str) -> tuple[str, object]:
    """Full name and annotation of what an option sets, None if there is no such field."""
    head, _, rest = option.partition(".")
    if not rest:
        flag = head.removeprefix("no_")
        name = flag if head not in hints and hints.get(flag) is bool else head
        return name, hints.get(name)
    for cls in _classes(hints.get(head)):
        name, hint = _field(get_type_hints(cls, include_extras=True), rest)
        if hint is not None:
            return f"{head}.{name}", hint
    return option, None


def _classes(*hints: object) -> list[type]:
    """Find the dataclasses inside annotations."""
    found = [h for h in hints if isinstance(h, type) and dataclasses.is_dataclass(h)]
    return found + [cls for hint in hints for cls in _classes(*get_args(hint))] if hints else []


def _several(hint: object) -> bool:
    """Whether an annotation admits any number of values."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _several(inner[0])
    if origin in (Union, UnionType):
        return any(map(_several, inner))
    return origin in (list, dict, set) or (origin is tuple and inner[-1:] == (...,))


def _check(hints: Hints, values: Mapping[str, object]) -> None:
    """Hold values to what annotations demand of them, defaults too.

    Raises:
        InputError: One does not fit; it names the first.
    """
    import pydantic

    rules = pydantic.ConfigDict(allow_inf_nan=False, arbitrary_types_allowed=True)
    fields = [(name, hint, dataclasses.field()) for name, hint in hints.items()]
    made = dataclasses.make_dataclass("Options", fields, kw_only=True)
    try:
        pydantic.dataclasses.dataclass(config=rules)(made)(**values)
    except pydantic.ValidationError as error:
        detail = error.errors(include_url=False)[0]
        if detail["type"] == "value_error":  # raised by a check of ours, which has said everything
            raise _Misfit(str(detail["ctx"]["error"])) from None
        option = f"--{str(detail['loc'][0]).replace('_', '-')}"
        expected = detail["msg"].replace("Input should be", "expected")
        given = "without a value" if detail["input"] == () else detail["input"]
        raise _Misfit(f"Found {option} {given}, {expected}.") from None


def _description(target: Callable[..., object]) -> str:
    """The docstring without its sections, which `--help` shows beside the options."""
    return re.split(r"\n\n(?:Args|Returns|Raises):", inspect.getdoc(target) or "")[0]


def _advice(prog: str) -> str:
    return f"`{prog} --help` lists the options."


def _unboxed(box: str) -> str:
    """Reduce the box that tyro draws around its complaint to a sentence.

    The box has a title, the complaint, a rule, and advice; it is drawn in ASCII on some terminals.
    """
    rows = re.sub(r"\x1b\[[0-9;]*m", "", box).strip().split("\n")[1:]
    parts = re.split(r"[─-]{8,}", " ".join(row.strip(" │") for row in rows))
    complaint, *advice = [part.strip() for part in parts if part.strip()]
    complaint = _plainly(complaint)
    near = [re.match(r"(?:Perhaps|Arguments).*?: (--[^\s,]+)", part) for part in advice]
    meant = ", ".join(found[1] for found in near if found)
    sentence = complaint if complaint.endswith("?") else complaint.removesuffix(".") + "."
    return f"{sentence} Did you mean {meant}?" if meant else sentence


def _plainly(complaint: str) -> str:
    """Say what was found and expected, where tyro speaks of Python's conversions."""
    option = r"Error parsing (--\S+): "
    if said := re.match(option + r"invalid literal for int\(\) with base 10: '(.*)'", complaint):
        return f"Found {said[1]} {said[2]}, expected a whole number"
    if said := re.match(option + r"could not convert string to float: '(.*)'", complaint):
        return f"Found {said[1]} {said[2]}, expected a number"
    some = r"no type matching (.+?) could be instantiated from \[(.*?)\]\."
    if said := re.match(option + some, complaint):
        given = re.sub(r"[',]", "", said[3])
        plain = {"INT": "a whole number", "FLOAT": "a number"}
        kinds = said[2].removeprefix("{None}|").split("|")
        expected = " or ".join(plain.get(kind, kind.strip("{}")) for kind in kinds)
        return f"Found {said[1]} {given}, expected {expected}"
    choice = r"invalid choice '(.*)' for argument '(--\S+)'\. Expected one of \((.*)\)"
    if said := re.match(choice, complaint):
        known = ", ".join(sorted(re.findall(r"'(.*?)'", said[3])))
        return f"Found {said[2]} {said[1]}, expected one of {known}"
    complaint = re.sub(r"^Error parsing config\.(\S+): \w+: (?=[\w.]+: )", r"\1.", complaint)
    return re.sub(r"^Error parsing config\.(\S+): ", r"\1: ", complaint)
