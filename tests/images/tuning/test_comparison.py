"""Methods compared on stripes: every result once, shared where it can be, and a table."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from images.config import DistillationConfig, SamplingConfig
from images.data.load import Images
from images.evaluation.classifier import Evaluation, Evaluator
from images.model import load
from images.tuning.comparison import ComparisonPlan, compare
from images.tuning.config import MethodArm, MethodsConfig, with_settings
from images.tuning.report import markdown
from refine_core.config.schema import load as load_config
from refine_core.errors import InputError
from tests.images.tiny import CONFIG, IMAGES, TRAINING

CONFIGS = Path(__file__).parents[3] / "configs/images"
ONE_EPOCH = replace(TRAINING, epochs=1)
BASE = replace(
    CONFIG,
    holdout=32,
    tokenizer=replace(CONFIG.tokenizer, training=ONE_EPOCH),
    generator=replace(CONFIG.generator, training=ONE_EPOCH),
    sampling=SamplingConfig(),
)
ARMS = (
    MethodArm("off"),
    MethodArm("guided", tune={"sampling.guidance": ([0.5], [1.0])}),
    MethodArm("early", settings={"sampling.methods": {"early_exit": {"change": 99}}}),
    MethodArm("weak", settings={"generator.depth": 1, "generator.dim": 8}, shown=False),
    MethodArm("away", settings={"sampling.methods": {"autoguidance": {"weak": "@weak"}}}),
    MethodArm(
        "told", settings={"generator.methods": ["self_conditioning"]}, calibrate="likelihood"
    ),
    MethodArm("jump", settings={"generator.methods": {"consistency": {"sizes": 1, "dim": 8}}}),
    MethodArm("student", student=DistillationConfig(training=ONE_EPOCH)),
    MethodArm("parts", settings={"tokenizer.parts": [1, 2, 2]}),
)
SMALL = MethodsConfig(
    base=BASE, arms=ARMS, seeds=(0, 1), samples=32, tuning_samples=16, trials=3, workers=1
)


class Stripes(Evaluator):
    """Knows stripes: a row is alike in class 0, a column in class 1."""

    def __init__(self) -> None:
        super().__init__(1, (11, 12), 2)

    def evaluate(self, images: Tensor, batch: int = 500) -> Evaluation:
        rows, columns = images.var(3).mean((1, 2)), images.var(2).mean((1, 2))
        logits = torch.stack([columns, rows], 1)
        return Evaluation(torch.cat([logits, images.mean((2, 3))], 1), logits)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("methods")


def test_every_arm_is_measured_for_every_seed(folder: Path) -> None:
    rows = compare(SMALL, IMAGES, Stripes(), folder, quiet=True)
    assert list(rows) == ["off", "guided", "early", "away", "told", "jump", "student", "parts"]
    assert all(len(each) == 2 for each in rows.values())
    for row in (row for each in rows.values() for row in each):
        assert row["frechet"] > 0 and 0 <= row["recall"] <= 1 and row["ms"] > 0
        assert row["training_seconds"] > 0
    calls = {name: each[0]["calls"] for name, each in rows.items()}
    scales = len(BASE.tokenizer.sizes)
    expected = {"off": scales, "early": 1, "away": 2 * scales, "told": scales, "jump": 2}
    assert {name: calls[name] for name in expected} == expected
    assert calls["guided"] == 2 * scales and calls["parts"] == 5
    assert rows["student"][0]["training_seconds"] > rows["off"][0]["training_seconds"]
    # Sampling changes no likelihood; training does.
    for name in ("guided", "early", "away"):
        assert [r["bits"] for r in rows[name]] == [r["bits"] for r in rows["off"]]
    assert rows["told"][0]["bits"] != rows["off"][0]["bits"]
    assert rows["off"][0]["frechet"] != rows["off"][1]["frechet"]
    assert rows["early"][0]["frechet"] != rows["off"][0]["frechet"]
    assert rows["away"][0]["frechet"] != rows["off"][0]["frechet"]


def test_what_arms_share_is_made_once_and_kept(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    compare(SMALL, IMAGES, Stripes(), folder, quiet=True)
    assert before == {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    assert len(list((folder / "runs" / "tokenizers").iterdir())) == 2 * 2
    assert len(list((folder / "runs" / "generators").iterdir())) == 2 * 5
    assert len(list((folder / "runs" / "results").iterdir())) == 2 * 8
    assert [path.name for path in folder.iterdir()] == ["runs"], "what git ignores"
    plan = ComparisonPlan.of(SMALL, IMAGES, Stripes(), folder)
    models = [load(plan.model(arm, 0)) for arm in ARMS[:-1]]
    first = models[0].tokenizer.state_dict()
    for model in models:
        own = model.tokenizer.state_dict()
        assert all(torch.equal(first[name], own[name]) for name in first)


def test_results_follow_from_all_that_changes_them() -> None:
    def paths(config: MethodsConfig, images: Images, judge: Evaluator) -> list[Path]:
        plan = ComparisonPlan.of(config, images, judge, Path("x"))
        return [plan.result(arm, 0) for arm in config.arms]

    other = Stripes()
    other.digest = "other"
    fewer = replace(IMAGES, test=IMAGES.test[:8])
    same = paths(SMALL, IMAGES, Stripes())
    for changed in (
        paths(replace(SMALL, trials=4), IMAGES, Stripes()),
        paths(SMALL, IMAGES, other),
        paths(SMALL, fewer, Stripes()),
    ):
        assert not set(same) & set(changed)
    deep = replace(ARMS[3], settings={"generator.depth": 2, "generator.dim": 8})
    arms = (*ARMS[:3], deep, *ARMS[4:])
    changed = paths(replace(SMALL, arms=arms), IMAGES, Stripes())
    assert [a == b for a, b in zip(same, changed, strict=True)] == [
        arm.name not in ("weak", "away") for arm in ARMS
    ]


def test_table(folder: Path) -> None:
    text = markdown(replace(SMALL, note="Quick."), compare(SMALL, IMAGES, Stripes(), folder))
    assert text.startswith("Quick.") and "2 seeds, 32 samples" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 8 and "against off" in lines[0]
    assert lines[2].split("|")[1:5][3].strip() == "" and lines[3].count("±") > 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": (MethodArm("a"), MethodArm("a"))}, "a name of its own for each"),
        (
            {"arms": (MethodArm("a", {"sampling.methods": {"autoguidance": {"weak": "@b"}}}),)},
            "@b, exp",
        ),
        ({"arms": (MethodArm("a", {"generator.widht": 3}),)}, "generator.widht: unknown"),
        (
            {"arms": (MethodArm("a", {"generetor.dim": 3}),)},
            "'generetor.dim', expected the path of",
        ),
        ({"arms": (MethodArm("a", calibrate="entropy"),), "base": CONFIG}, "set `base.holdout`"),
        ({"arms": (MethodArm("a", tune={"sampling.guidance": ([-2],)}),)}, "guidance.0: found -2"),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        replace(SMALL, **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected settings that begin with 'sampling.'"):
        MethodArm("a", tune={"generator.dim": (8,)})


def test_paths_reach_the_fields_of_methods() -> None:
    found = with_settings(BASE, {"sampling.methods.early_exit.change": 0.5})
    assert found.sampling.methods["early_exit"]["change"] == 0.5
    on = with_settings(BASE, {"generator.methods": ["autoguidance"]})
    deeper = with_settings(on, {"generator.methods.autoguidance.depth": 2})
    assert deeper.generator.methods["autoguidance"]["depth"] == 2


@pytest.mark.parametrize("name", ["methods", "methods_quick", "draws"])
def test_shipped_comparisons_are_sound(name: str) -> None:
    config = load_config(MethodsConfig, CONFIGS / f"{name}.yaml")
    plan = ComparisonPlan(config, Path("x"), "")
    assert len({job.path for job in plan.jobs()}) > 3 * len(config.seeds)
