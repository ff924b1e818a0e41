"""What goes wrong with files, with values in a config, and with words on a command line."""

import copy
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import strategies as st

Draw = st.DrawFn
DEEP: Any = "x"
for _ in range(60):
    DEEP = [DEEP]
VALUES = [
    *(None, True, -1, 0, 1, 2, 3, 7, 100, 2**31, 2**63, 10**40, -(2**63)),
    *(0.5, -0.5, 1.5, 1e-300, 1e308, float("nan"), float("inf")),
    *("", "x", "../up", "/dev/null", "a/b", "é" * 300, "\x07", "null", "1e3", "2000-13-45"),
    *([], {}, [[]], [1], [0, 0], [-1, 2], ["x"], {"a": {"b": 1}}, {"kind": "x"}, DEEP),
]
"""Values of a config that seldom fit."""
WORDS = [
    *("", "-1", "0", "1", "2", "1e400", "nan", "inf", "99999999999999999999", "0x10", "1,5", "½"),
    *("x", "--", "--out", "-", "[1, 2]", "{a: 1}", "a=b", "=", "x" * 3000, "\x00", "\ud800"),
    *("none.txt", "/", "..", "/dev/null", ".", "-1 ", "None", "True", "2000-01-01", "é"),
]
"""Words on a command line that seldom fit."""


@st.composite
def damaged(draw: Draw, content: bytes) -> bytes:
    """A file cut short, with bytes changed, lost or doubled, or something else altogether."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(len(found) - 1, 0)))
        length = draw(st.sampled_from([1, 2, 8, 100]))
        match draw(st.sampled_from(["flip", "flip", "cut", "lose", "double", "put", "other"])):
            case "flip" if found:
                found[start] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del found[start:]
            case "lose":
                del found[start : start + length]
            case "double":
                found[start:start] = found[start : start + length]
            case "put":
                found[start : start + length] = draw(st.binary(max_size=16))
            case "other":
                found = bytearray(
                    draw(st.sampled_from([b"", b"\0" * 64, b"\xff\xfe", b"{}", b"x"]))
                )
    return bytes(found)


@st.composite
def damaged_text(draw: Draw, content: str, words: tuple[str, ...]) -> bytes:
    """Lines and fields of a text exchanged for others, then perhaps damaged as any file."""
    lines = content.split("\n")
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        word = draw(st.sampled_from(words) | st.text(max_size=8))
        match draw(st.sampled_from(["line", "field", "field", "lose", "double"])):
            case "line":
                lines[place] = word
            case "field":
                fields = lines[place].split(" ")
                fields[draw(st.integers(0, len(fields) - 1))] = word
                lines[place] = " ".join(fields)
            case "lose" if len(lines) > 1:
                del lines[place]
            case "double":
                lines[place:place] = [lines[place]]
    made = "\n".join(lines).encode("utf-8", "surrogatepass")
    return draw(damaged(made)) if draw(st.integers(0, 3)) == 0 else made


@st.composite
def damaged_config(draw: Draw, config: dict[str, Any]) -> bytes:
    """A YAML file with values exchanged, fields missing, unknown or in another place."""
    made: dict[str, Any] = copy.deepcopy(config)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(_fields(made)) or [(made, "name")]))
        match draw(st.sampled_from(["value", "value", "value", "lose", "unknown", "move"])):
            case "value":
                holder[key] = draw(st.sampled_from(VALUES))
            case "lose":
                holder.pop(key, None)
            case "unknown":
                holder[draw(st.sampled_from(["unknwon", "", "0", "kind", str(key)[:-1]]))] = 1
            case "move":
                made[str(key)] = holder.pop(key, None)
    text = yaml.safe_dump(made, sort_keys=False, allow_unicode=True).encode()
    return draw(damaged(text)) if draw(st.integers(0, 5)) == 0 else text


def _fields(config: dict[Any, Any]) -> Iterator[tuple[dict[Any, Any], Any]]:
    """Every field with the section that holds it."""
    for key, value in config.items():
        yield config, key
        if isinstance(value, dict):
            yield from _fields(value)


@st.composite
def damaged_words(draw: Draw, options: tuple[str, ...]) -> list[str]:
    """Options that are known, misspelled or cut off, with values that seldom fit."""
    words: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        option = draw(st.sampled_from(options))
        shape = draw(st.sampled_from(["plain", "plain", "plain", "=", "cut", "bare"]))
        value = draw(st.sampled_from(WORDS) | st.text(max_size=6))
        if shape == "=":
            words.append(f"{option}={value}")
        else:
            words += [option[:-1] if shape == "cut" else option]
            words += [] if shape == "bare" else [value]
    return words
