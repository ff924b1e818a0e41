"""A dask cluster: results in order, mistakes, sentences for what is lost or was never there."""

import errno
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from refine_core.app.cli import main
from refine_core.app.processes import cluster as module
from refine_core.app.processes.cluster import check_files, connected, using_cluster
from refine_core.app.processes.workers import map_in_workers
from refine_core.errors import InputError
from tests.clusters import cluster
from tests.refine_core.app.processes.test_workers import fail, refuse, squared


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with cluster(2) as made:
        yield made.scheduler_address


@pytest.fixture
def joined(address: str) -> Iterator[None]:
    with using_cluster(address):
        yield
    assert connected() is None


def fill_disk(number: int) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "states.npy")


def die_once(folder: Path, number: int) -> int:
    if number == 3 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.usefixtures("joined")
def test_results_come_in_order_and_inputs_are_taken_as_workers_are_free() -> None:
    taken = []
    inputs = (taken.append(number) or number for number in range(60))  # type: ignore[func-returns-value]
    found = map_in_workers(squared, inputs, 60, 1)
    first = next(found)
    assert len(taken) == 2 * module.SENT
    numbers, processes = zip(first, *found, strict=True)
    assert numbers == tuple(number**2 for number in range(60))
    assert len(set(processes)) == 2 and os.getpid() not in processes


@pytest.mark.usefixtures("joined")
def test_mistakes_on_a_worker_are_those_of_the_caller() -> None:
    with pytest.raises(InputError, match=r"^Found 0\.$"):
        list(map_in_workers(refuse, range(7), 7))
    with pytest.raises(RuntimeError, match=r"in fail[\s\S]*ZeroDivisionError"):
        list(map_in_workers(fail, range(7), 7))
    with pytest.raises(OSError, match="states.npy") as raised:
        list(map_in_workers(fill_disk, range(7), 7))
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.usefixtures("joined")
def test_files_that_a_worker_does_not_find() -> None:
    check_files(__file__, Path(__file__).parent, "gs://bucket/store.zarr")
    with open(__file__) as file:
        os.dup2(file.fileno(), 900)
    try:
        with pytest.raises(
            InputError, match=r"worker tcp://\S+ does not find the same /proc/self"
        ):
            check_files("/proc/self/fd/900")
    finally:
        os.close(900)


def test_workers_of_another_version(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__version__", "0.0.1")
    with pytest.raises(InputError, match=r"worker tcp://\S+ has refine .*, this process 0\.0\.1"):
        with using_cluster(address):
            pass


@pytest.mark.usefixtures("joined")
def test_a_lost_worker_is_made_up_for(tmp_path: Path) -> None:
    found = list(map_in_workers(partial(die_once, tmp_path), range(12), 12))
    assert found == [number**2 for number in range(12)] and (tmp_path / "died").exists()


def test_a_job_that_ends_workers_is_one_sentence() -> None:
    with cluster(2, **{"scheduler.allowed-failures": 0}) as made:
        with using_cluster(made.scheduler_address):
            with pytest.raises(InputError, match="One job ended several workers"):
                list(map_in_workers(die, range(4), 4))


def test_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETURN", 0.2)
    monkeypatch.setattr(module, "POLL", 0.1)
    with cluster(1) as made:
        with using_cluster(made.scheduler_address):
            found = map_in_workers(squared, range(50), 50)
            next(found)
            made.sync(made.workers[0].close)
            with pytest.raises(InputError, match="No worker is left at tcp://"):
                list(found)
        with pytest.raises(InputError, match=r"has no workers: start some \(`dask worker tcp://"):
            with using_cluster(made.scheduler_address):
                pass


def test_a_scheduler_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL", 0.1)
    with cluster(1) as made, using_cluster(made.scheduler_address):
        found = map_in_workers(squared, range(50), 50)
        next(found)
        made.close()
        with pytest.raises(InputError, match="The dask scheduler at tcp://.* is gone"):
            list(found)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "foo://127.0.0.1:8786"])
def test_an_address_where_nobody_answers(
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    command = "weather verify forecast.zarr --truth truth.zarr --out made --scheduler"
    with pytest.raises(SystemExit, match="2"):
        main([*command.split(), address])
    said = capsys.readouterr().err
    assert f"No dask scheduler answers at {address}: " in said and said.count("\n") == 1
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH\r\n"])
def test_an_address_of_something_else(greeting: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(module, "ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor(1) as thread:
        accepted = thread.submit(lambda: other.accept()[0])
        sent = thread.submit(lambda: accepted.result().sendall(greeting))
        with pytest.raises(InputError, match="No dask scheduler answers at tcp://"):
            with using_cluster(f"tcp://127.0.0.1:{other.getsockname()[1]}"):
                pass
        sent.result()
        accepted.result().close()
