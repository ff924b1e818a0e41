"""The stages of a run: several models trained one after the other, each in a folder of its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from refine_core.app.progress import say
from refine_core.config.schema import from_dict, to_dict
from refine_core.noise import derive
from refine_core.storage.lock import run_lock
from refine_core.training.budget import Length, Pace, affordable
from refine_core.training.callbacks import Callback
from refine_core.training.config import Optimisation
from refine_core.training.data import Data, Subset
from refine_core.training.loop import Validate, fit
from refine_core.training.runs import Run
from refine_core.training.state import Module


@dataclass(frozen=True)
class Stages:
    """What the stages of one run have in common.

    Args:
        folder: The run's folder, `runs/<name>`.
        seed: The run's seed. Each stage, and each network that is built, names a stream of it.
        data: Digest of the training data; a run is not continued on other data.
        quiet: Whether to show no progress.
        seconds: About how long each stage is trained, in place of its number of epochs; on fewer
            samples, if one epoch takes longer. A stage that goes on keeps what it was begun with.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> import refine_core as rc
    >>> class Mean(torch.nn.Linear):
    ...     def forward(self, batch, noise):
    ...         return {"loss": (batch[0] - self.bias).square().mean()}
    >>> opt, data = rc.Optimisation(epochs=1, batch=8), rc.Tensors(torch.ones(32, 1))
    >>> with TemporaryDirectory() as folder:
    ...     stages = rc.Stages(Path(folder), seed=0, quiet=True)
    ...     with stages.seeded(0):
    ...         module = Mean(1, 1)
    ...     module = stages.train(module, data, opt, stream=1, config=opt, name="mean")
    ...     sorted(path.name for path in Path(folder, "mean").iterdir())
    ['config.yaml', 'last.safetensors', 'metrics.csv', 'metrics.json', 'run.json']
    """

    folder: Path
    seed: int
    data: str = ""
    quiet: bool = False
    seconds: float | None = None

    @contextmanager
    def seeded(self, stream: int) -> Iterator[None]:
        """Draw initial weights from a stream; torch's global generator is as before afterwards."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive(self.seed, stream))
            yield

    def train(
        self,
        module: Module,
        data: Data[object],
        opt: Optimisation,
        *,
        stream: int,
        config: object,
        name: str = "",
        validate: Validate[Module] | None = None,
        validations: int | None = None,
        callbacks: Sequence[Callback[Module]] = (),
        title: str = "",
    ) -> Module:
        """Train a module, or continue its training; return it averaged and in evaluation mode.

        Args:
            module: Trained in place, see `refine_core.training.fit`.
            data: Training samples.
            opt: The settings of this stage.
            stream: Number of the stage's stream of the run's seed, which gives the order of
                samples and all noise.
            config: Recorded in the folder; a stage is not continued with another config.
            name: Folder of the stage within the run's folder; by default the run's folder itself.
            validate: Computes further metrics after each epoch.
            validations: So many times at most, as of `fit`.
            callbacks: Called after each step and each epoch.
            title: Shown beside the progress bar; `name` by default.

        Raises:
            InputError: The folder holds a run with another seed, config or data, or is written by
                another process; and as `fit`.
        """
        with run_lock(self.folder / name):
            run = Run.start(self.folder / name, config, self.seed, self.data)
            title = title or name or "training"
            return self._train(
                run, module, data, opt, stream, validate, validations, callbacks, title
            )

    def _train(
        self,
        run: Run,
        module: Module,
        data: Data[object],
        opt: Optimisation,
        stream: int,
        validate: Validate[Module] | None,
        validations: int | None,
        callbacks: Sequence[Callback[Module]],
        title: str,
    ) -> Module:
        if self.seconds is not None:
            most = opt.epochs if validations is None else validations
            length = run.settle("length", lambda: self._length(module, data, opt, validate, most))
            found = from_dict(Length, length, str(run.path / "run.json"))
            opt, validations = replace(opt, epochs=found.epochs), found.validations
            data = data if found.count == len(data) else Subset(data, found.count)
        fitted, _ = fit(
            module,
            data,
            opt,
            seed=derive(self.seed, stream),
            run=run,
            validate=validate,
            validations=validations,
            callbacks=callbacks,
            title=title,
            quiet=self.quiet,
        )
        return fitted

    def _length(
        self,
        module: Module,
        data: Data[object],
        opt: Optimisation,
        validate: Validate[Module] | None,
        validations: int,
    ) -> dict[str, object]:
        """The `Length` that fits into the time, as a JSON value."""
        within, count = self.seconds, len(data)
        assert within is not None
        pace = Pace.of(module, data, opt, within, validate)
        found = affordable(pace, within, count=count, batch=opt.batch, validations=validations)
        if not self.quiet:
            say(
                f"{found.epochs} passes over {found.count} of {count} samples, "
                f"{found.epochs * (found.count // opt.batch)} steps, fit into {within / 60:.3g} "
                f"minutes ({pace.step:.2g} seconds a step)"
            )
        return to_dict(found)
