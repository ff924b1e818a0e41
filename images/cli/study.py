"""The command that compares refinement and diffusion: `refine images study`."""

from pathlib import Path

from images.cli.sample import read
from images.study.config import StudyConfig
from refine_core.app.outputs import OutputFolder
from refine_core.app.progress import say
from refine_core.device import using_device


def study(
    config: StudyConfig, out: OutputFolder = Path("runs/study"), report_only: bool = False
) -> None:
    """Compare refinement and diffusion at one backbone and one budget; goes on where it stopped.

    Args:
        config: What to run.
        out: Folder for the report and its pictures; models and results are kept in it.
        report_only: Whether to run nothing, and to report what is there.
    """
    from images.study.protocol.run import run_study

    with using_device("cpu"):  # its times and energy are those of the processor
        run_study(config, read(config.data), out, report_only=report_only, say=say)
    print(f"report and pictures: {out}")
