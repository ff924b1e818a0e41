"""States of a model that are kept beside its simulated store, to start other runs from."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write
from weather.fields.arrays import Times
from weather.fields.season import evenly_spaced
from weather.fields.times import parse_time

ModelState = list[NDArray[np.generic]]
"""Arrays that a model goes on from."""


@dataclass(frozen=True)
class KeptStates:
    """The folder of states, with `.states` behind the name of the store: a file for each time.

    Args:
        store: The simulated store.
    """

    store: Path

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.store.with_name(self.store.name + ".states")

    @property
    def times(self) -> Times:
        """(n,) ascending times of the states; none without the folder."""
        names = sorted(path.stem for path in self.folder.glob("*.npz"))
        return np.array(names, "datetime64[h]").astype("datetime64[ns]")

    def write(self, time: np.datetime64, state: ModelState) -> None:
        """Keep the state at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._path(time)) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **named(state))

    def read(self, time: np.datetime64) -> ModelState:
        """The state at a time.

        Raises:
            InputError: The file is damaged.
        """
        try:
            with open(self._path(time), "rb") as stream, np.load(stream) as file:
                return unnamed(file)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise InputError(
                f"{self._path(time)} is damaged: start from another state, or simulate the store "
                "again."
            ) from None

    def choose(self, wanted: Sequence[str], latest: np.datetime64) -> list[np.datetime64]:
        """Times of states, ascending.

        Args:
            wanted: Times such as 2019-01-10T18, or days such as 2019-01-10; or a count, a first
                and a last day, such as 8/2019-01-01/2019-12-31, for states spread evenly over a
                period.
            latest: No later state is chosen, as the store ends too soon after it.

        Raises:
            InputError: A text is none of these, or there is no such state.
        """
        times = self.times
        if not len(times):
            raise InputError(
                f"There are no kept states in {self.folder}: simulate {self.store} with "
                "--states-every 10."
            )
        times = times[times <= latest]
        if not len(times):
            raise InputError(
                f"No state of {self.folder} is early enough for the store to hold what follows "
                f"it, which is one up to {_hour(latest)}: give fewer --days."
            )
        if not wanted:
            raise InputError(
                f"Found no --starts, expected times of states between {_hour(times[0])} and "
                f"{_hour(times[-1])}, or a count and a period such as 8/2019-01-01/2019-12-31."
            )
        chosen = [time for text in wanted for time in _chosen(text, times)]
        return list(np.unique(np.array(chosen)))

    def _path(self, time: np.datetime64) -> Path:
        return self.folder / f"{time.astype('datetime64[h]')}.npz"


def named(state: ModelState) -> dict[str, NDArray[np.generic]]:
    """The arrays of a state by their names in a file."""
    return {f"state{place:04}": array for place, array in enumerate(state)}


def unnamed(file: "np.lib.npyio.NpzFile") -> ModelState:
    """The state in a file, which may hold other arrays."""
    return [file[name] for name in sorted(file) if name.startswith("state")]


def _chosen(text: str, times: Times) -> Times:
    """The times that a text asks for, of those there are."""
    count, *period = text.split("/")
    if not period:
        return _at(text, times)
    if len(period) != 2 or not (count.isdecimal() and int(count)):
        raise InputError(
            f"Found --starts {text}, expected a count, a first and a last day such as "
            "8/2019-01-01/2019-12-31, or times such as 2019-01-10T18."
        )
    first, last = map(parse_time, period)
    last += np.timedelta64(0 if "T" in period[1] else 24, "h")
    inside = times[(times >= first) & (times < last)]
    if int(count) > len(inside):
        raise InputError(
            f"Found --starts {text}, but {len(inside)} states are kept in that period that are "
            "early enough in the store: ask for fewer, or give a longer period."
        )
    return np.asarray(inside[evenly_spaced(np.arange(len(inside)), int(count))])


def _at(text: str, times: Times) -> Times:
    """The time (1,) of a text, or the last of its day."""
    wanted = parse_time(text)
    same = times == wanted if "T" in text else times.astype("datetime64[D]") == wanted
    if not same.any():
        near = np.sort(times[np.argsort(np.abs(times - wanted))[:2]])
        raise InputError(
            f"Found --starts {text}, but no state is kept there that is early enough in the "
            f"store: the nearest is of {' or '.join(map(_hour, near))}."
        )
    return np.asarray(times[same][-1:])


def _hour(time: np.datetime64) -> str:
    return str(time.astype("datetime64[h]"))
