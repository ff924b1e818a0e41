"""The one exception that stands for a mistake of the user's."""

from collections.abc import Iterable
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
