"""`refine graphs demo`: molecules from the shipped model, written, measured, and proved fair."""

from pathlib import Path

from graphs import model as trained
from graphs.evaluation.equivariance import check_equivariance
from graphs.evaluation.report import evaluate, markdown
from refine_core.app.options import arguments
from refine_core.app.progress import say


def demo(argv: list[str]) -> None:
    """Draw molecules, write them, measure them, and test that no node order leaks."""

    def run(
        model: str = "qm9",
        count: int = 1000,
        draws: int = 500,
        out: Path = Path("runs/demo/graphs"),
    ) -> None:
        """Run the demo.

        Args:
            model: A shipped model's name, a run's folder or a file.
            count: How many molecules.
            draws: For the test of the sampler's law.
            out: Folder for molecules, the report and a picture.
        """
        from graphs.chem.files import write_molecules
        from graphs.chem.properties import property_values

        loaded = trained.load(model)
        report = evaluate(loaded, out, count=count, say=say)
        print(markdown(report))
        found = (out / "samples.smi").read_text().split()
        write_molecules(found, out / "samples.sdf", property_values(found))
        if not check_equivariance(loaded, draws=draws):
            raise SystemExit(1)
        for name in ("samples.smi", "samples.sdf", "REPORT.md", "samples.png"):
            print(f"{'picture' if name.endswith('png') else 'file'}: {out / name}")

    arguments(run, argv, "refine graphs demo")
