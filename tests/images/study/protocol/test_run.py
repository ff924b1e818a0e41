"""A study of toy arms: what it makes, that it goes on, and what it refuses."""

import json
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from images.data.load import LabelledImages
from images.study.config import StudyConfig
from images.study.model import Setting, StudyModel
from images.study.protocol import measuring, plan, run
from images.study.protocol.measuring import choose_guidance
from images.study.protocol.run import run_study
from images.study.protocol.scoring import Bench
from images.study.protocol.speed import Speed
from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.images.study.protocol.toy import install, toy_config
from tests.images.tiny import IMAGES

PICTURES = {"frontiers", "scores", "scales_and_steps", "learning", "energy", "samples"}


@pytest.fixture(scope="module", autouse=True)
def toys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        yield


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> StudyConfig:
    return toy_config(tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="module")
def whole(config: StudyConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study from start to end."""
    out = tmp_path_factory.mktemp("whole")
    said: list[str] = []
    run_study(config, IMAGES, out, quiet=True, say=said.append)
    assert "jobs, about" in said[0] and "on one process" in said[0]
    return out


def results(out: Path) -> dict[str, Any]:
    """Every result by its file, without times."""
    found = {p.name: json.loads(p.read_text()) for p in (out / "runs/results").rglob("*.json")}
    return {name: timeless(value) for name, value in found.items() if "arms-" not in name}


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if "seconds" not in k}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def test_results(whole: Path) -> None:
    plain = json.loads((whole / "study.json").read_text())
    assert plain["missing"] == []
    arm = plain["arms"]["toy-steps"]
    points = arm["seeds"]["1"]["points"]
    assert [(p["calls"], p["guided"]) for p in points] == [
        *((1, False), (1, True), (2, False), (2, True), (4, True))
    ]
    train = arm["seeds"]["0"]["train"]
    assert train["steps"] == 40 and [row["step"] for row in train["curve"]] == [10, 20, 40]
    scores = {trial["learning_rate"]: trial["held_loss"] for trial in arm["trials"]}
    assert train["learning_rate"] == min(scores, key=lambda rate: scores[rate])
    assert plain["arms"]["toy-scales"]["seeds"]["0"]["bits"]["kind"] == "exact"
    assert arm["seeds"]["0"]["bits"]["bits"] is None
    energy = arm["seeds"]["0"]["energy"]
    assert abs(energy["floor"]) < 1e-3  # the toy loses nothing
    assert len(energy["mean"]) == energy["calls"] == len(energy["fell"]) + 1 == 4
    assert len(energy["error"]) == 5 and energy["error"][-1] == 0 and min(energy["decrease"]) > 0


def test_report_and_pictures(whole: Path) -> None:
    assert {p.stem for p in whole.glob("*.png")} == PICTURES
    text = (whole / "REPORT.md").read_text()
    assert "Not complete" not in text and "nan" not in text and "None" not in text
    assert all(f"({name}.png)" in text for name in PICTURES)


@pytest.fixture
def unreported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the report and its pictures."""
    monkeypatch.setattr(run, "write_findings", lambda *arguments: None)


@pytest.mark.usefixtures("unreported")
def test_a_finished_study_is_not_run_again(config: StudyConfig, whole: Path) -> None:
    before, said = (results(whole), (whole / "study.json").read_text()), list[str]()
    run_study(config, IMAGES, whole, quiet=True, say=said.append)
    assert said == ["every result is there"]
    assert (results(whole), (whole / "study.json").read_text()) == before


@pytest.mark.usefixtures("unreported")
def test_a_stopped_study_equals_one_that_was_not(
    config: StudyConfig, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for after in (7, 23, 45, 90):
        with monkeypatch.context() as patch:
            patch.setattr(run, "run_jobs", stopping(after))
            with pytest.raises(KeyboardInterrupt):
                run_study(config, IMAGES, tmp_path, quiet=True)
        assert json.loads((tmp_path / "study.json").read_text())["missing"]
    measured = measuring.trial_scores
    for calls in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(measuring, "trial_scores", failing(measured, calls))
            with pytest.raises(KeyboardInterrupt):
                run_study(config, IMAGES, tmp_path, quiet=True)
    run_study(config, IMAGES, tmp_path, quiet=True)
    assert results(tmp_path) == results(whole)


@pytest.mark.usefixtures("unreported")
def test_a_study_goes_on_from_its_record_alone(
    config: StudyConfig, whole: Path, tmp_path: Path
) -> None:
    complete = json.loads((whole / "study.json").read_text())
    keys = {row["key"] for row in complete["tokenizers"]}
    of = {row["tokenizer"] for row in complete["arms"]["toy-scales"]["seeds"].values()}
    assert len(of) == len(complete["config"]["seeds"]) and of <= keys
    partial = deepcopy(complete)
    seed = partial["arms"]["toy-scales"]["seeds"]["1"]
    seed["bits"], seed["points"] = None, []
    (tmp_path / "study.json").write_text(json.dumps(partial))
    said: list[str] = []
    run_study(config, IMAGES, tmp_path, quiet=True, say=said.append)
    # Its guided setting and bits; the model of these, and that one's tokeniser, once more.
    assert said[0].startswith("5 jobs")
    kept = [path.parent.name for path in (tmp_path / "runs/models").rglob("model.safetensors")]
    assert sorted(name.split("-")[0] for name in kept) == ["tokenizer", "train"]
    found = json.loads((tmp_path / "study.json").read_text())
    assert timeless(found) == timeless(complete)


def failing(function: Callable[..., object], calls: int) -> Callable[..., object]:
    """A function that is interrupted at one of its calls."""
    left = calls

    def call(*arguments: object) -> object:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return function(*arguments)

    return call


def stopping(after: int) -> Callable[..., None]:
    """`run_jobs` that is interrupted after so many ticks, in the midst of trainings."""
    from refine_core.app.parallel import run_jobs

    left = after

    def go(jobs: list[Any], *rest: Any, **options: Any) -> None:
        run_jobs([replace(job, run=Counting(job.run, count)) for job in jobs], *rest, **options)

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    return go


class Counting:
    def __init__(self, run: Callable[..., object], count: Callable[[], None]) -> None:
        self.run, self.count = run, count

    def __call__(self, shared: object, tick: Callable[[float], None]) -> object:
        def counted(share: float) -> None:
            self.count()
            tick(share)

        return self.run(shared, counted)


def test_a_partial_report_says_what_is_missing(
    config: StudyConfig, whole: Path, tmp_path: Path
) -> None:
    run_study(config, IMAGES, tmp_path, report_only=True)
    text = (tmp_path / "REPORT.md").read_text()
    assert "Not complete" in text and "No verdict, for results are missing" in text
    assert not list((tmp_path / "runs").rglob("*.safetensors"))
    shutil.copytree(whole / "runs", tmp_path / "runs", dirs_exist_ok=True)
    for path in (tmp_path / "runs/results").rglob("toy-scales-s1*.json"):
        path.unlink()
    run_study(config, IMAGES, tmp_path, report_only=True)
    text = (tmp_path / "REPORT.md").read_text()
    assert "Not complete: 5 results are missing (train of toy-scales-s1," in text
    assert "| toy steps | 4 calls |" in text or "| toy steps | 2 calls |" in text


@pytest.mark.usefixtures("unreported")
def test_another_study_is_refused(config: StudyConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_study(config, IMAGES, out, report_only=True)
    other = replace(config, budget=replace(config.budget, tokens=9000))
    with pytest.raises(InputError, match=r"holds another study \(budget.tokens: 7680, now 9000\)"):
        run_study(other, IMAGES, out)
    more = replace(config, seeds=(0, 1, 2), arms=("toy-scales",))
    run_study(more, IMAGES, out, report_only=True)


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        ("tuning", {"samples": 25}, "`tuning.samples` 25, but there are 24 held-out images"),
        ("measurement", {"samples": 65}, "`measurement.samples` 65, but there are 64 test images"),
        ("budget", {"batch": 200}, "`budget.batch` 200, but there are 104 training images"),
        ("measurement", {"calls": (5, 7)}, "but toy-scales samples in 3 calls"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_work(
    config: StudyConfig,
    tmp_path: Path,
    section: str,
    values: dict[str, object],
    expected: str,
) -> None:
    wrong = replace(config, **{section: replace(getattr(config, section), **values)})
    with pytest.raises(InputError, match=expected):
        run_study(wrong, IMAGES, tmp_path / "out", report_only=True)


def test_test_images_are_spread_and_their_labels_with_them(
    config: StudyConfig, tmp_path: Path
) -> None:
    bench = Bench.of(config, IMAGES, tmp_path)
    count, every = 7, len(bench.test)
    few, labels = bench.real("test", count), bench.test.labels
    places = [i * every // count for i in range(count)]
    assert labels is not None and places[-1] > 0.8 * every
    assert torch.equal(few.images, bench.test.images[places])
    assert torch.equal(bench.labels("test", count), labels[places])


def test_each_sampler_and_count_of_calls_has_a_weight_of_its_own(
    config: StudyConfig, tmp_path: Path
) -> None:
    class Model:
        """Its samples are near the images with the weight that suits the setting only."""

        def eval(self) -> "Model":
            return self

        def modules(self) -> list[nn.Module]:
            return []

        def sample(self, noise: Noise, labels: Tensor, setting: Setting) -> Tensor:
            best = 0.5 if setting.sampler == "ddim" and setting.calls > 1 else 0.0
            images = bench.real("held", len(labels)).images
            return images if setting.guidance == best else 1 - images

    config = replace(
        config,
        measurement=replace(config.measurement, many=2),
        tuning=replace(config.tuning, calls=2, guidance=(0.0, 0.5)),
    )
    bench = Bench.of(config, IMAGES, tmp_path)
    settings = [Setting(1, "ddim"), Setting(2, "ddim"), Setting(4, "ddim"), Setting(3, "heun")]
    model, shares = cast(StudyModel, Model()), list[float]()
    found = choose_guidance(model, bench, settings, 0, shares.append)
    chosen = cast(dict[str, dict[str, float]], found["groups"])
    assert {name: (row["guidance"], row["calls"]) for name, row in chosen.items()} == {
        "ddim 1": (0.0, 1),
        "ddim 2": (0.5, 2),
        "ddim, many calls": (0.5, 4),
        "heun, many calls": (0.0, 3),
    }
    assert sum(shares) == pytest.approx(1)


def test_seeds_and_arms_are_done_one_after_the_other(config: StudyConfig, tmp_path: Path) -> None:
    bench = Bench.of(config, IMAGES, tmp_path / "runs")
    whole = plan.make_plan(bench, Speed(1, 1, 1, 1))
    ranks = dict[Path, int]()
    for job in whole.jobs():
        ranks.setdefault(job.path, job.rank)
    assert ranks.keys() == {task.path for task in whole}
    places = [
        {ranks[task.path] for task in whole.seeds[arm][seed]}
        for seed in config.seeds
        for arm in config.arms
    ]
    assert all(len(place) == 1 for place in places)
    assert places == sorted(places, key=min) and len({min(p) for p in places}) == len(places)
    # The weights of guidance are chosen with the first seed, and are those of all.
    chosen = {task.of for task in whole if task.kind == "guidance"}
    assert chosen == {f"{arm}-s{config.seeds[0]}" for arm in config.arms}


def test_keys_follow_from_content_alone(config: StudyConfig, tmp_path: Path) -> None:
    def paths(config: StudyConfig) -> dict[str, str]:
        bench = Bench.of(config, IMAGES, tmp_path / "out/runs")
        return {task.name: task.key for task in plan.make_plan(bench, Speed(1, 1, 1, 1))}

    first = paths(config)
    assert first == paths(replace(config, workers=3, note="other"))
    guided = replace(config, tuning=replace(config.tuning, guidance=(0.0, 1.0)))
    changed = {name for name, key in paths(guided).items() if first[name] != key}
    assert changed == {
        name for name in first if name.split()[0] in ("guidance", "guided", "energy")
    }
    tuned = replace(config, tuning=replace(config.tuning, learning_rates=(0.01,)))
    kinds = {name.split()[0] for name, key in paths(tuned).items() if first[name] != key}
    assert kinds == {"train", "guidance", "guided", "unguided", "energy", "bits"}
    further = replace(config.tuning, further_rates=(9.0,), further_arms=config.arms[:1])
    more = paths(replace(config, tuning=further))
    assert more.keys() - first.keys() == {f"trial of {config.arms[0]}-9"}
    changed = {name for name, key in first.items() if more[name] != key}
    assert changed and all(f" of {config.arms[0]}-s" in name for name in changed)
    assert not set(paths(replace(config, revision=1)).values()) & set(first.values())


@pytest.mark.usefixtures("unreported")
def test_a_diverged_trial_is_not_chosen(config: StudyConfig, tmp_path: Path) -> None:
    wild = replace(config, seeds=(0,), arms=("toy-scales",))
    wild = replace(wild, tuning=replace(wild.tuning, learning_rates=(1e38, 0.1)))
    run_study(wild, IMAGES, tmp_path / "out", quiet=True)
    plain = json.loads((tmp_path / "out/study.json").read_text())["arms"]["toy-scales"]
    assert plain["trials"][0]["held_loss"] is None
    assert plain["seeds"]["0"]["train"]["learning_rate"] == 0.1
    wilder = replace(wild, tuning=replace(wild.tuning, learning_rates=(1e38,)))
    with pytest.raises(InputError, match="toy-scales diverges with every learning rate"):
        run_study(wilder, IMAGES, tmp_path / "out", quiet=True)


def test_images_that_it_cannot_measure_are_refused_first(
    config: StudyConfig, tmp_path: Path
) -> None:
    test = IMAGES.test
    assert test.labels is not None
    wide = LabelledImages(IMAGES.train.images.expand(-1, 3, -1, -1), IMAGES.train.labels)
    colour = replace(
        IMAGES, train=wide, test=LabelledImages(test.images.expand(-1, 3, -1, -1), test.labels)
    )
    between = LabelledImages((test.images + 0.5 / 255).clamp(0, 1), test.labels)
    lacking = LabelledImages(test.images, test.labels.clamp(min=1))
    for given, expected in (
        (colour, "images of 3 channels, expected grey ones"),
        (replace(IMAGES, test=between), "Bits are of images of 256 grey levels"),
        (replace(IMAGES, test=lacking), "no test image of class 0"),
    ):
        with pytest.raises(InputError, match=expected):
            Bench.of(config, given, tmp_path)
