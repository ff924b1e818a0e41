"""What holds for every input: a result or one sentence, in time, and in the asked place only."""

import io
import os
import re
import signal
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from images.data.load import Images
from refine_core.app.cli import main
from tests.images.study.test_build import noise_images

DEADLINE = {signal.ITIMER_PROF: 20.0, signal.ITIMER_REAL: 300.0}
"""Seconds of the processor for a command, and by the clock, on a machine that does much else."""
LONG = (
    "refine_core.training.stages.fit",
    "refine_core.training.stages.Pace.of",
    "images.evaluation.classifier.fit",
    "images.experiments.parallel.run_jobs",
    "images.study.protocol.run.run_jobs",
    "images.tuning.comparison.run_jobs",
)
"""What trains: a command that gets there has accepted its input."""
MNIST = Images(noise_images(300), noise_images(60), 10)
"""Stands for the data that would be fetched."""
MAY_APPEAR = re.compile(r"work/(out|runs)(/|$|\.)|cache(/|$)")
LITTER = re.compile(r"(^|/)(\.[0-9a-f]{8}-\d+-|[^/]*\.lock$)")


@dataclass(frozen=True)
class Case:
    """A command and the files that it finds; it may write to `out`, `out.*` and `runs`."""

    argv: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def write(self, folder: Path) -> None:
        """Write the files."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


class _Accepted(BaseException):
    """The command has come to its work."""


class TooLong(BaseException):
    """The command has not ended."""


def hold(case: Case) -> int:
    """Run a case in a temporary folder; return the exit code, which is 0 or 2.

    Raises:
        AssertionError: The law is broken; or the error that the command ended with.
    """
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name).resolve()
        work = folder / "work"
        work.mkdir()
        case.write(work)
        before = _content(folder)
        caches = {"REFINE_CACHE": str(folder / "cache"), "XDG_CACHE_HOME": str(folder / "cache")}
        stack.enter_context(patch.dict(os.environ, caches))
        for target in LONG:
            stack.enter_context(patch(target, side_effect=_Accepted))
        stack.enter_context(patch("images.data.load.mnist", lambda *_: MNIST))
        old = Path.cwd()
        stack.callback(os.chdir, old)
        os.chdir(work)
        said = io.StringIO()
        with _deadline(), redirect_stderr(said), redirect_stdout(io.StringIO()):
            code = _run(case.argv)
        _judge(code, said.getvalue())
        after = _content(folder)
        assert {n: after.get(n) for n in before} == before, "an input was changed"
        new = [name for name in after if name not in before]
        astray = [name for name in new if not MAY_APPEAR.match(name) or LITTER.search(name)]
        assert not astray, f"files outside the asked place: {astray}"
        return code


def _run(argv: tuple[str, ...]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        try:
            main(list(argv))
        except SystemExit as end:
            return int(end.code or 0)
        except _Accepted:
            pass
    return 0


def _judge(code: int, said: str) -> None:
    assert code in (0, 2), f"exit code {code}"
    assert "Traceback" not in said, said
    assert "Warning:" not in said, said
    if code == 2:
        assert len(re.findall("^refine: .", said, re.MULTILINE)) == 1, said


def _content(folder: Path) -> dict[str, bytes]:
    """Files by name, with what they hold."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@contextmanager
def _deadline() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise TooLong("no end in time")

    before = {each: signal.signal(each, stop) for each in (signal.SIGPROF, signal.SIGALRM)}
    try:
        for timer, seconds in DEADLINE.items():
            signal.setitimer(timer, seconds)
        yield
    finally:
        for timer in DEADLINE:
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
