"""The one exception that stands for a mistake of the user's."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """A wrong input: says what was found, what was expected and what to do.

    The command line prints the message and ends with exit code 2, without a traceback.

    >>> import refine_core as rc
    >>> try:
    ...     rc.Sampling(top_p=2.0)
    ... except rc.InputError as error:
    ...     print(error)
    top_p is 2.0, expected above 0, and 1 at most.
    """


def suggest(word: str, known: Iterable[str]) -> str:
    """Offer the known word nearest to a misspelled one.

    Args:
        word: What was found.
        known: What would have been understood.

    Returns:
        A clause to append to a sentence, or nothing when no known word is near.

    >>> suggest("learing_rate", ["learning_rate", "epochs"])
    " Did you mean 'learning_rate'?"
    >>> suggest("colour", ["learning_rate", "epochs"])
    ''
    """
    spelled = {candidate.lower(): candidate for candidate in known}
    near = get_close_matches(word.lower(), spelled, n=1)
    return f" Did you mean {spelled[near[0]]!r}?" if near else ""


def check_choice(name: str, value: str, known: Collection[str]) -> None:
    """Refuse a word that is none of those known.

    Args:
        name: What is chosen, as the subject of a sentence.
        value: What was found.
        known: What would have been understood.

    Raises:
        InputError: `value` is none of them.

    >>> check_choice("The loop", "closd", ("closed", "open"))
    Traceback (most recent call last):
    ...
    refine_core.errors.InputError: The loop is 'closd', expected one of closed, open: choose one...
    """
    if value not in known:
        raise InputError(
            f"{name} is {value!r}, expected one of {', '.join(known)}: choose one."
            f"{suggest(value, known)}"
        )
