"""Processes of `torchrun` that compute for the first of them.

Training uses all processes alike, and is marked by `trains`. Any other command runs in the first
process as if that was alone; the others, on this machine or on others, wait for functions and
inputs, as worker processes do (see `refine_core.app.workers`), and end when it ends. They find it
by the store that `torchrun` keeps, and prove by a secret from there that they belong to it.
"""

import json
import os
import pickle
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from refine_core.app.answers import Server

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

C = TypeVar("C", bound=Callable[..., None])
ADDRESS = "refine/first"
"""Entry of the store with host, port and secret of the first process."""
VARIABLES = ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "RANK", "LOCAL_RANK")
MARK = "_trains"


class Rank:
    """Another process of `torchrun`, as a worker.

    Args:
        connection: To it.
    """

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self.connection = connection

    def begin(self, work: bytes) -> None:
        """Send the pickled function that it is to apply from now on."""
        self.connection.send((True, work))

    def ask(self, given: bytes) -> tuple[bool, Any]:
        """Whether the function was applied to a pickled input, and its result or what it raised.

        Raises:
            EOFError: The process is gone.
        """
        try:
            self.connection.send((False, given))
            answer: tuple[bool, Any] = pickle.loads(self.connection.recv_bytes())
        except ConnectionError as error:
            raise EOFError from error
        return answer

    def stop(self) -> None:
        """Nothing: it goes on waiting, for another function."""


others: list[Rank] = []
"""The other processes, in the first of a command that does not train."""


def trains(command: C) -> C:
    """Mark a command whose processes under `torchrun` are all alike."""
    setattr(command, MARK, True)
    return command


def run(command: Callable[..., None], call: Callable[[], None]) -> None:
    """Run a command in this process, or wait for what the first process wants computed.

    Args:
        command: The command, which tells whether it trains.
        call: Runs it.
    """
    world, rank = (int(os.environ.get(name, 0)) for name in ("WORLD_SIZE", "RANK"))
    if world < 2 or hasattr(command, MARK):
        call()
    elif rank:
        _serve()
    else:
        _gather(world - 1)
        try:
            call()
        finally:
            for each in others:
                each.connection.close()
            others.clear()


def _gather(count: int) -> None:
    """Wait for the other processes; what this one trains from here on, it trains alone."""
    from multiprocessing.connection import Listener

    near = os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]
    secret = secrets.token_bytes(32)
    with Listener(("localhost" if near else "", 0), authkey=secret) as listener:
        host = "localhost" if near else os.environ["MASTER_ADDR"]
        store = _store()  # perhaps this process's own, which the others have yet to read
        store.set(ADDRESS, json.dumps([host, listener.address[1], secret.hex()]))
        others.extend(Rank(listener.accept()) for _ in range(count))
        del store
    for name in VARIABLES:
        os.environ.pop(name, None)


def _serve() -> None:
    """Apply functions to inputs until the first process ends."""
    from multiprocessing.connection import Client

    import torch

    torch.set_num_threads(1)
    host, port, secret = json.loads(_store().get(ADDRESS))
    server = Server()
    with Client((host, port), authkey=bytes.fromhex(secret)) as connection, suppress(EOFError):
        while True:
            begins, parcel = connection.recv()
            if begins:
                server.begin(parcel)
            else:
                connection.send_bytes(server.answer(parcel))


def _store() -> Any:
    """What all processes of `torchrun` can read and write."""
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://"))
    return store
