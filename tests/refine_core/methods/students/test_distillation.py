"""Distillation: what a student can hold it learns, and what independent draws lose is known."""

import pytest
import torch

from refine_core.errors import InputError
from refine_core.heads.config import HeadConfig
from refine_core.methods.students.adapter import adapt, merge
from refine_core.methods.students.distillation import (
    Distillation,
    States,
    Targets,
    start_from_teacher,
)
from refine_core.noise import Noise
from refine_core.sampling.settings import Sampling
from refine_core.training.config import Optimisation
from refine_core.training.data import Tensors
from refine_core.training.loop import fit
from tests.refine_core.methods.students.exact import (
    CODES,
    TinyRefiner,
    data,
    distance,
    frequencies,
    law,
    product,
    student,
    teacher,
)

JOINT = HeadConfig(kind="depth", across="tokens", width=16)
X = data(1024)


def distilled(
    model: TinyRefiner,
    *,
    epochs: int = 12,
    targets: Targets = "laws",
    states: States = "data",
    sampling: Sampling | None = None,
    of: TinyRefiner | None = None,
) -> tuple[TinyRefiner, float]:
    """The student after a few seconds of training, and its last gap in bits."""
    module = Distillation(
        of or teacher(), model, targets=targets, states=states, sampling=[sampling or Sampling()]
    )
    opt = Optimisation(epochs=epochs, batch=128, learning_rate=8e-3, weight_decay=0.0, ema=0.9)
    labels = torch.arange(len(X)) % 2
    fitted, rows = fit(module, Tensors(X, labels), opt, seed=0, quiet=True)
    return fitted.student, float(rows[-1]["gap"])


LABELS = torch.zeros(len(CODES), dtype=torch.int64)


@pytest.mark.parametrize(("states", "calls"), [("data", 1), ("teacher", 2)])
def test_a_joint_student_holds_the_law_of_its_teacher(states: States, calls: int) -> None:
    exact = law(teacher(), LABELS)
    model, gap = distilled(student(teacher(), calls, JOINT), states=states, epochs=30)
    assert distance(product(exact), exact) > 0.1
    assert distance(law(model, LABELS), exact) < 0.02
    assert abs(gap) < 0.02
    drawn = model.sample_trace(Noise.range(1, 4000), torch.zeros(4000, dtype=torch.int64)).codes
    assert len(drawn) == calls and distance(frequencies(drawn), exact) < 0.05


@pytest.mark.parametrize("targets", ["laws", "draws"])
def test_independent_draws_learn_the_product_of_the_marginals(targets: Targets) -> None:
    exact = law(teacher(), LABELS)
    model, _ = distilled(student(teacher()), targets=targets)
    assert distance(law(model, LABELS), product(exact)) < (0.03 if targets == "laws" else 0.06)


def test_the_loss_of_laws_is_the_mean_of_that_of_draws() -> None:
    of, model = teacher(), student(teacher(), 1, JOINT)
    count = 20_000
    batch = (X[:1].expand(count, -1, -1), torch.zeros(count, dtype=torch.int64))
    found = [
        Distillation(of, model, targets=targets)(batch, Noise.range(0, count))["loss"].detach()
        for targets in ("laws", "draws")
    ]
    assert float(found[0]) == pytest.approx(float(found[1]), rel=0.01)


def test_the_gap_of_a_student_that_is_its_teacher_is_zero() -> None:
    of = teacher()
    same = student(of, 3)
    assert start_from_teacher(same, of) == []
    batch = (X[:64], torch.arange(64) % 2)
    found = Distillation(of, same)(batch, Noise.range(0, 64))
    assert float(found["gap"].detach()) == pytest.approx(0, abs=1e-4)
    assert torch.allclose(law(same, LABELS), law(of, LABELS), atol=1e-5)


@pytest.mark.parametrize("states", ["data", "teacher"])
def test_lessons_do_not_depend_on_the_batch(states: States) -> None:
    module = Distillation(teacher(), student(teacher(), 2), states=states)
    labels = torch.arange(8) % 2
    whole = module.lessons(X[:8], labels, Noise.range(0, 8))
    part = module.lessons(X[5:8], labels[5:], Noise(0, torch.tensor([5, 6, 7])))
    for mine, theirs in zip(whole, part, strict=True):
        assert torch.equal(mine.code[5:], theirs.code)


def test_guidance_of_the_teacher_is_learnt() -> None:
    of = teacher()
    guided = Sampling(guidance=1.0)
    noise, labels = Noise.range(1, 20_000), torch.zeros(20_000, dtype=torch.int64)
    wanted = frequencies(of.sample_trace(noise, labels, sampling=[guided]).codes)
    model, _ = distilled(student(of, 1, JOINT), sampling=guided, states="teacher", of=of)
    assert distance(wanted, law(of, LABELS)) > 0.1
    assert distance(wanted, law(model, LABELS)) < 0.05


def test_a_joint_head_goes_on_from_the_maps_of_the_teacher() -> None:
    of = teacher()
    based = HeadConfig(kind="depth", across="tokens", width=16, base=True)
    same = student(of, 3, based)
    start_from_teacher(same, of)
    assert torch.allclose(law(same, LABELS), law(of, LABELS), atol=1e-5)


@pytest.mark.slow
def test_one_round_after_the_other() -> None:
    of = teacher()
    half, _ = distilled(student(of, 2, JOINT), of=of, epochs=20)
    last = student(of, 1, JOINT)
    start_from_teacher(last, half)
    model, _ = distilled(last, of=half, epochs=20)
    assert distance(law(model, LABELS), law(of, LABELS)) < 0.05


def test_adapters_learn_to_skip_scales() -> None:
    of, model = teacher(), student(teacher())
    start_from_teacher(model, of)
    before = distance(law(model, LABELS), product(law(of, LABELS)))
    model.requires_grad_(False)
    adapt(model.transformer, 4)
    model, _ = distilled(model, of=of)
    merge(model)
    assert model.state_dict().keys() == student(of).state_dict().keys()
    assert distance(law(model, LABELS), product(law(of, LABELS))) < min(0.05, before / 2)


def test_wrong_settings() -> None:
    of = teacher()
    with pytest.raises(
        InputError,
        match="targets is 'law', expected one of draws, laws",
    ):
        Distillation(of, student(of), targets="law")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="consecutive parts"):
        Distillation(student(of, 1), student(of, 3))
    with pytest.raises(InputError, match="sampling has 2 values"):
        Distillation(of, student(of), sampling=[Sampling()] * 2)
