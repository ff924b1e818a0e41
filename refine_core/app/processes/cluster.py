"""A dask cluster that computes what `--workers` would share, by the address of its scheduler.

Functions and inputs go to its workers as parcels (see `answers`), a few at a time, and results
come back in the order of the inputs. A job whose worker is lost runs again on another. Workers
read and write files by the same paths as this process, so paths are on a file system that all
machines share, or URLs. Like dask itself, this is for networks whose machines trust each other.
"""

import functools
import logging
import os
import pickle
import platform
import socket
import threading
import time
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from refine_core import __version__
from refine_core.app.processes.answers import Server
from refine_core.device import with_option
from refine_core.errors import InputError

if TYPE_CHECKING:
    from distributed import Future

A = TypeVar("A")
R = TypeVar("R")
ANSWER, RETURN = 5.0, 30.0
"""Seconds in which a scheduler has to answer, and in which lost workers may come back."""
POLL = 1.0
"""Seconds after which it is seen whether workers are there."""
GREETING = 2**16
"""Bytes that the greeting of a scheduler is shorter than."""
SENT = 2
"""Jobs for each thread of the workers that are sent at a time."""
DECIDE = ("numpy", "rdkit")
"""Packages on whose version the bytes of results may depend."""


class Cluster:
    """The workers of a dask scheduler.

    Args:
        address: Of the scheduler, as in tcp://host:8786.

    Raises:
        InputError: No scheduler answers there, it has no workers, or these have other versions of
            Refine, Python, numpy or RDKit.
        ModuleNotFoundError: The package distributed is missing.
    """

    def __init__(self, address: str) -> None:
        from distributed import Client

        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # errors are told below
        self.address = address
        try:
            _knock(address)
            self.client: Client = Client(address, timeout=ANSWER, set_as_default=False)
        except (OSError, ValueError, TypeError):
            raise InputError(
                f"No dask scheduler answers at {address}: see that one runs there (`dask "
                "scheduler`), and give its address as in tcp://host:8786."
            ) from None
        try:
            self._check_workers()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the cluster, which goes on."""
        with suppress(Exception):  # it may be gone
            self.client.close(timeout=ANSWER)

    def map(self, work: Callable[[A], R], inputs: Iterable[A]) -> Iterator[R]:
        """Apply a function to inputs on the workers.

        Args:
            work: The function; with inputs and results it is pickled.
            inputs: Its inputs, taken as workers become free.

        Yields:
            The result of each input, in their order.

        Raises:
            InputError: The function raised it, the same job lost several workers, or none is left.
        """
        from distributed import wait

        sent: deque[Future[bytes]] = deque()

        def take() -> R:
            done, result = self._answer_to(sent.popleft())
            if not done:
                with suppress(Exception):  # else jobs that run would write when this has ended
                    wait([*sent], RETURN)
                raise cast(Exception, result)
            return cast(R, result)

        try:
            # The function is a task, so that it is sent once, and anew where its worker is lost.
            parcel = self.client.submit(bytes, pickle.dumps(work), pure=False)
            for each in inputs:
                given = pickle.dumps(each)
                sent.append(self.client.submit(_answer, parcel, given, pure=False))
                if len(sent) >= SENT * self._threads():
                    yield take()
            while sent:
                yield take()
        finally:
            with suppress(Exception):  # the scheduler may be gone
                self.client.cancel([*sent], force=True)
                self.client.run(_forget, on_error="ignore")

    def check_files(self, paths: Iterable[str | Path]) -> None:
        """Check that every worker finds the files that this process finds.

        Raises:
            InputError: One does not, or they are others.
        """
        local = [
            str(Path(path).expanduser().absolute()) for path in paths if "://" not in f"{path}"
        ]
        wanted = _sizes(local)
        for worker, found in self._ask(_sizes, local).items():
            for path in local:
                if found[path] != wanted[path]:
                    raise InputError(
                        f"The worker {worker} does not find the same {path}: give a path on a "
                        "file system that this machine and all workers share, or a URL."
                    )

    def _check_workers(self) -> None:
        """Refuse a cluster without workers, or with such as may compute something else."""
        if not self._threads():
            raise InputError(
                f"The dask scheduler at {self.address} has no workers: start some (`dask worker "
                f"{self.address}`)."
            )
        own = _versions()
        for worker, found in self._ask(_versions).items():
            for name in own:
                if found[name] != own[name]:
                    raise InputError(
                        f"The worker {worker} has {name} {found[name]}, this process "
                        f"{own[name]}: start workers in the same environment."
                    )

    def _ask(self, question: Callable[..., R], *given: object) -> Mapping[str, R]:
        """The answer of each worker by its address."""
        try:
            found = self.client.run(question, *given, on_error="return")
        except Exception as error:
            raise self._lost(error) from None
        for worker, answer in found.items():
            if isinstance(answer, BaseException):
                raise InputError(
                    f"The worker {worker} cannot run refine {__version__} ({answer}): start "
                    "workers in the same environment."
                )
        return cast(Mapping[str, R], found)

    def _threads(self) -> int:
        """Threads of all workers."""
        try:
            return sum(self.client.nthreads().values())
        except Exception as error:
            raise self._lost(error) from None

    def _answer_to(self, future: "Future[bytes]") -> tuple[bool, object]:
        """Whether a job was done, and its result or error; waits as long as there are workers."""
        from distributed import KilledWorker

        seen = time.monotonic()
        while True:
            try:
                answer: tuple[bool, object] = pickle.loads(future.result(timeout=POLL))
                return answer
            except TimeoutError:
                seen = time.monotonic() if self._threads() else seen
                if time.monotonic() - seen > RETURN:
                    raise InputError(
                        f"No worker is left at {self.address}: start some again, and the command, "
                        "which goes on where it can."
                    ) from None
            except KilledWorker:
                raise InputError(
                    "One job ended several workers of the cluster, most likely for want of "
                    "memory: start workers with more of it, or with fewer threads each."
                ) from None
            except (Exception, CancelledError) as error:
                raise self._lost(error) from None

    def _lost(self, error: BaseException) -> InputError:
        """The sentence for what a connection fails by."""
        about = str(error).partition("\n")[0] or type(error).__name__
        return InputError(
            f"The dask scheduler at {self.address} is gone ({about}): start it again, and the "
            "command, which goes on where it can."
        )


_current: Cluster | None = None
"""The cluster that computes for this process."""


def connected() -> Cluster | None:
    """The cluster that computes for this process, if there is one."""
    return _current


def check_files(*paths: str | Path) -> None:
    """Check that workers of the cluster, if there is one, find the files that this process finds.

    Raises:
        InputError: One does not, or they are others.
    """
    if _current is not None:
        _current.check_files(paths)


@contextmanager
def using_cluster(address: str | None) -> Iterator[None]:
    """Let a dask cluster compute, within, what would be shared by processes of this machine.

    Args:
        address: Of its scheduler, as in tcp://host:8786; None stands for none.

    Raises:
        InputError: See `Cluster`.
        ModuleNotFoundError: The package distributed is missing.
    """
    global _current
    if address is None:
        yield
        return
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": ANSWER}):
        before, _current = _current, Cluster(address)
        try:
            yield
        finally:
            _current.close()
            _current = before


def on_cluster(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option `--scheduler`, of a cluster that computes what it shares."""

    @functools.wraps(command)
    def run(*args: object, scheduler: str | None = None, **options: object) -> None:
        with using_cluster(scheduler):
            command(*args, **options)

    said = (
        "Address of a dask scheduler, as tcp://host:8786, whose workers share the work "
        "in place of processes of this machine. They read and write the same paths, so these are "
        "on a file system that all share, or URLs."
    )
    return with_option(run, command, "scheduler", str | None, None, said)


def _knock(address: str) -> None:
    """Open a connection, for a client waits long where something else listens, or nothing.

    Raises:
        OSError: No scheduler listens at the address.
        ValueError: It is no address.
    """
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.comm.registry import get_backend

    scheme, place = parse_address(address)
    get_backend(scheme)
    with socket.create_connection(parse_host_port(place), timeout=ANSWER) as wire:
        if scheme == "tcp":  # a scheduler speaks first: the bytes of its greeting, which is short
            length = wire.recv(8)
            if not 0 < int.from_bytes(length, "little") < GREETING:
                raise OSError("it is no scheduler")


_servers: dict[int, tuple[bytes, Server]] = {}
"""Of a worker: the function that each of its threads applies."""


def _answer(parcel: bytes, given: bytes) -> bytes:
    """Apply a pickled function to a pickled input, on a worker."""
    thread = threading.get_ident()
    if _servers.get(thread, (b"",))[0] != parcel:
        server = Server()
        server.begin(parcel)
        _servers[thread] = parcel, server
    return _servers[thread][1].answer(given)


def _forget() -> None:
    """Free the functions that a worker has, with what they hold."""
    _servers.clear()


def _sizes(paths: Sequence[str]) -> dict[str, int | None]:
    """Bytes of files, -1 of folders, None of what is not there or cannot be read."""
    found: dict[str, int | None] = {}
    for path in paths:
        readable = os.access(path, os.R_OK)
        size = -1 if os.path.isdir(path) else os.path.getsize(path) if readable else None
        found[path] = size if readable else None
    return found


def _versions() -> dict[str, str | None]:
    """Versions that decide what a function is, and the bytes of its results."""
    found: dict[str, str | None] = {"refine": __version__}
    found["python"] = ".".join(platform.python_version_tuple()[:2])
    for name in DECIDE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
