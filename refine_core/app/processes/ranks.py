"""Processes of `torchrun` that compute for the first of them.

Training uses all processes alike, and is marked by `trains`. Any other command runs in the first
process as if that was alone; the others, on this machine or on others, wait for functions and
inputs, as worker processes do (see `workers`), and end when it ends. They find it by the store
that `torchrun` keeps, and prove by a secret from there that they belong to it. Like `torchrun`
itself, this is for networks whose machines trust each other.
"""

import json
import logging
import os
import pickle
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from refine_core.app.processes.answers import Server
from refine_core.errors import InputError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, Listener

C = TypeVar("C", bound=Callable[..., None])
ADDRESS = "refine/first"
"""Entry of the store with host, port and secret of the first process."""
VARIABLES = ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "RANK", "LOCAL_RANK")
PATIENCE = 120.0
"""Seconds in which all processes have to be there."""
MARK = "_trains"


class Rank:
    """Another process of `torchrun`, as a worker.

    Args:
        connection: To it.
    """

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self.connection = connection
        with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def begin(self, work: bytes) -> None:
        """Send the pickled function that it is to apply from now on."""
        with suppress(OSError):  # whoever asks it finds out
            self.connection.send((True, work))

    def ask(self, given: bytes) -> tuple[bool, object]:
        """Whether the function was applied to a pickled input, and its result or what it raised.

        Raises:
            InputError: The process is gone.
        """
        try:
            self.connection.send((False, given))
            answer: tuple[bool, object] = pickle.loads(self.connection.recv_bytes())
        except (OSError, EOFError):
            raise InputError(
                "A process of torchrun was killed, most likely for want of memory: start again "
                "with fewer, or give a smaller --batch."
            ) from None
        return answer

    def stop(self) -> None:
        """Nothing: it goes on waiting, for another function."""


_free: list[Rank] = []
"""Other processes that compute nothing now, in the first of a command that does not train."""
_near = 1
"""Processes on this machine, which share its cores."""


def trains(command: C) -> C:
    """Mark a command whose processes under `torchrun` are all alike, as those of training are.

    >>> import refine_core as rc
    >>> @rc.trains
    ... def train(steps: int) -> None:
    ...     '''Train a model, with `rc.fit` or `rc.Stages`.'''
    """
    setattr(command, MARK, True)
    return command


def near() -> int:
    """Processes of `torchrun` on this machine, which share its cores; else 1."""
    return max(_near, int(os.environ.get("LOCAL_WORLD_SIZE", os.environ.get("WORLD_SIZE", 1))))


@contextmanager
def lent() -> Iterator[list[Rank]]:
    """The other processes that are free, for one function at a time."""
    ranks = list(_free)
    _free.clear()
    try:
        yield ranks
    finally:
        _free.extend(ranks)


def run(command: Callable[..., None], call: Callable[[], None]) -> None:
    """Run a command in this process, or wait for what the first process wants computed.

    Args:
        command: The command, which tells whether it trains.
        call: Runs it.

    Raises:
        InputError: The other processes do not come.
    """
    world, rank = (int(os.environ.get(name, 0)) for name in ("WORLD_SIZE", "RANK"))
    if world < 2 or "MASTER_ADDR" not in os.environ or hasattr(command, MARK):
        if world > 1 and rank:
            logging.disable(logging.WARNING)  # the first process says it
        call()
    elif rank:
        _serve()
    else:
        _gather(world)
        try:
            call()
        finally:
            while _free:
                _free.pop().connection.close()


def _gather(world: int) -> None:
    """Wait for the other processes; what this one trains from here on, it trains alone."""
    from multiprocessing.connection import Listener

    global _near
    _near = near()
    alone, secret = _near == world, secrets.token_bytes(32)
    place = ("localhost" if alone else "", 0)
    with Listener(place, backlog=world, authkey=secret) as listener:
        host = "localhost" if alone else os.environ["MASTER_ADDR"]
        store = _store()  # perhaps this process's own, which the others have yet to read
        store.set(_address(), json.dumps([host, listener.address[1], secret.hex()]))
        _free.extend(_accepted(listener, world - 1))
        del store
    for name in VARIABLES:
        os.environ.pop(name, None)


def _accepted(listener: "Listener", count: int) -> Iterator[Rank]:
    """The processes that knew the secret; whatever else connects is turned away.

    Raises:
        InputError: They do not come in time.
    """
    from multiprocessing import AuthenticationError

    last, found = time.monotonic() + PATIENCE, 0
    wire: socket.socket = listener._listener._socket  # type: ignore[attr-defined]
    while found < count:
        wire.settimeout(max(0.01, last - time.monotonic()))
        try:
            connection = listener.accept()
        except TimeoutError:
            raise InputError(
                f"Found {found + 1} of {count + 1} processes of torchrun after {PATIENCE:.0f} "
                "seconds: see why the others did not start."
            ) from None
        except (AuthenticationError, EOFError, OSError):
            continue
        found += 1
        yield Rank(connection)


def _serve() -> None:
    """Apply functions to inputs until the first process ends."""
    from multiprocessing.connection import Client

    import torch

    from refine_core.app.processes.workers import VARIABLE

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process stops the others
    os.environ[VARIABLE] = "1"  # none of them starts others
    os.dup2(2, 1)  # what a function prints is no result
    torch.set_num_threads(1)
    host, port, secret = json.loads(_store().get(_address()))
    server = Server()
    with suppress(EOFError, ConnectionError):
        connection = Client((host, port), authkey=bytes.fromhex(secret))
        with connection:
            while True:
                begins, parcel = connection.recv()
                if begins:
                    server.begin(parcel)
                else:
                    connection.send_bytes(server.answer(parcel))


def _address() -> str:
    """The entry of this start of the processes, which a later one must not read."""
    return f"{ADDRESS}/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"


def _store() -> Any:
    """What all processes of `torchrun` can read and write.

    Raises:
        InputError: The others, or the machine of the first, are not there in time.
    """
    from torch.distributed import DistError
    from torch.distributed.rendezvous import rendezvous

    try:
        store, _, _ = next(rendezvous("env://", timeout=timedelta(seconds=PATIENCE)))
    except DistError as error:
        raise InputError(
            f"The processes of torchrun did not find each other in {PATIENCE:.0f} seconds: see "
            f"whether all have started ({str(error).partition(chr(10))[0]})."
        ) from None
    return store
