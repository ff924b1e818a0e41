"""What a worker answers to the process that it computes for."""

import pickle
import traceback
from collections.abc import Callable
from typing import Any

from refine_core.app.processes.threads import stay_on_one_thread
from refine_core.errors import InputError


class Server:
    """Applies a function that came as a parcel to inputs that come as parcels."""

    def __init__(self) -> None:
        self.parcel = b""
        self.work: Callable[[Any], object] | None = None

    def begin(self, parcel: bytes) -> None:
        """Take a pickled function; it is read with the first input."""
        self.parcel, self.work = parcel, None

    def answer(self, given: bytes) -> bytes:
        """Whether the function was applied to a pickled input, and its result or error, pickled.

        Of an error that is neither an `InputError` nor the system's, such as a full disk, the
        traceback is told, by a `RuntimeError`.
        """
        try:
            if self.work is None:
                self.work = pickle.loads(self.parcel)
                stay_on_one_thread()
            return pickle.dumps((True, self.work(pickle.loads(given))))
        except InputError as error:
            return pickle.dumps((False, error))
        except BaseException as error:
            if isinstance(error, OSError) and error.errno is not None:
                plain = OSError(error.errno, error.strerror, error.filename)
                return pickle.dumps((False, plain))
            return pickle.dumps((False, RuntimeError(traceback.format_exc())))
