"""Types of config fields that admit a range of numbers, or the name of a folder.

A value outside of the range is refused with a sentence that says what is admitted.

>>> from refine_core.config.schema import config
>>> @config
... class Training:
...     batch: PositiveInt = 8
...     clip: PositiveFloat | None = None
>>> Training(batch=0)
Traceback (most recent call last):
    ...
refine_core.errors.InputError: Training: batch: found 0, expected a whole number above 0
>>> Training(clip=-1)
Traceback (most recent call last):
    ...
refine_core.errors.InputError: Training: clip: found -1, expected a number above 0, or null
"""

import re
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

T = TypeVar("T")


def admitting(test: Callable[[T], bool], expected: str) -> AfterValidator:
    """Make an annotation that refuses the values for which `test` is false.

    Args:
        test: Whether a value is admitted.
        expected: What is admitted; completes the sentence "found 0, expected ...".
    """

    def check(value: T) -> T:
        if not test(value):
            raise PydanticCustomError(
                "range", "Input should be {expected}", {"expected": expected}
            )
        return value

    return AfterValidator(check)


PositiveInt = Annotated[int, admitting(lambda n: n > 0, "a whole number above 0")]
NonNegativeInt = Annotated[int, admitting(lambda n: n >= 0, "a whole number of at least 0")]
PositiveFloat = Annotated[float, admitting(lambda x: x > 0, "a number above 0")]
NonNegativeFloat = Annotated[float, admitting(lambda x: x >= 0, "a number of at least 0")]
AtLeastOne = Annotated[float, admitting(lambda x: x >= 1, "a number of at least 1")]
Share = Annotated[float, admitting(lambda x: 0 <= x <= 1, "a number from 0 to 1")]
"""A share of a whole, or a probability."""
ShareBelowOne = Annotated[float, admitting(lambda x: 0 <= x < 1, "a number from 0 to below 1")]
"""A share that leaves something, such as the decay of an average, or dropout."""
OneOrMore = Annotated[
    tuple[T, ...], admitting(lambda values: len(values) > 0, "one value or more")
]
"""A tuple that is not empty: `OneOrMore[PositiveInt]`."""


def _is_folder_name(name: str) -> bool:
    return (
        name.strip() not in ("", ".", "..") and name.isprintable() and not set(name) & set("/\\")
    )


RunName = Annotated[str, admitting(_is_folder_name, "the plain name of a folder, without slashes")]
"""Name of a run, whose files go to the folder `runs/<name>/`."""


def seconds(time: str) -> float | None:
    """Seconds of a length of time such as 90s, 10m or 1.5h; None if it is none.

    >>> seconds("90s"), seconds("1.5h"), seconds("10 x")
    (90.0, 5400.0, None)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([smh])", time.strip())
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]] if found else None


Duration = Annotated[str, admitting(lambda time: bool(seconds(time)), "a time: 90s, 10m, 2h")]
"""A length of time, for `seconds`."""
