"""The command `refine graphs compare`."""

from pathlib import Path
from typing import Literal

from graphs import model as trained
from graphs.evaluation.call_curve import compare_models, table
from refine_core.app.options import arguments
from refine_core.app.progress import say
from refine_core.errors import InputError


def compare(argv: list[str]) -> None:
    """Draw the curve of quality against network calls, for any models of molecules."""

    def run(
        models: tuple[str, ...],
        calls: tuple[int, ...] = (4, 8, 16, 32),
        temperatures: tuple[float, ...] = (),
        parallel: tuple[Literal["one", "independent", "all"], ...] = (),
        count: int = 2000,
        seed: int = 0,
        out: Path = Path("comparison"),
    ) -> None:
        """Compare models.

        Args:
            models: Shipped models' names, runs' folders or files.
            calls: Network calls to try, where a model leaves them free.
            temperatures: To try; by default each model's.
            parallel: Of contractions, ways to split, in place of those that make `calls`.
            count: Molecules to draw in each way.
            seed: Of the draws.
            out: Folder for calls.json, CALLS.md and calls.png.
        """
        if not models or min(calls, default=0) < 1 or count < 1:
            raise InputError(
                f"Found models {models}, calls {calls} and count {count}: give one model or more, "
                "and numbers of one or more."
            )
        loaded = [(Path(name).stem, trained.load(name)) for name in models]
        rows = compare_models(
            loaded,
            out,
            calls=calls,
            temperatures=temperatures or (None,),
            parallel=parallel,
            count=count,
            seed=seed,
            say=say,
        )
        print(table(rows))
        print(f"report: {out / 'CALLS.md'}\npicture: {out / 'calls.png'}")

    arguments(run, argv, "refine graphs compare")
