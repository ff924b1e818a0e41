"""Every arm of the registry is built, matched, trained and sampled; configs plan all of them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from images.config import TokenizerConfig
from images.data.load import Images, LabelledImages
from images.study.backbone import TOLERANCE
from images.study.build import arm_tokenizer, build_arm, in_parts
from images.study.config import BackboneConfig, Budget, Measurement, StudyConfig, Tuning
from images.study.model import StudyModel
from images.study.protocol.measuring import judged
from images.study.protocol.plan import make_plan
from images.study.protocol.scoring import Bench, as_trained
from images.study.protocol.speed import Speed
from images.study.protocol.training import ArmRun, TokenizerRun, untrained_arm, untrained_tokenizer
from images.study.refinement import Refinement
from images.study.registry import ARMS, SIZES
from refine_core.config.schema import load
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.training.config import Optimisation
from refine_core.training.step import trained_parameters
from refine_core.transformer import Block

CONFIGS = Path(__file__).parents[3] / "configs/images"


def noise_images(count: int) -> LabelledImages:
    """Random grey levels of MNIST's shape."""
    generator = torch.Generator().manual_seed(count)
    levels = torch.randint(256, (count, 1, 28, 28), generator=generator)
    return LabelledImages(levels / 255, torch.arange(count) % 10)


IMAGES = Images(noise_images(300), noise_images(60), 10)
CONFIG = StudyConfig(
    backbone=BackboneConfig(dim=16, depth=1, heads=2, parameters=90_000),
    tokenizer=TokenizerConfig(
        codes=(8,), dim=4, width=8, blocks=0, training=Optimisation(epochs=1, batch=50)
    ),
    budget=Budget(tokens=5000, batch=16, precision="32-true"),
    tuning=Tuning(images=50, samples=40),
    measurement=Measurement(samples=50, bits_images=10, energy_samples=50),
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench.of(CONFIG, IMAGES, tmp_path_factory.mktemp("study"))


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_is_matched_trained_and_sampled(name: str, bench: Bench) -> None:
    model = untrained_arm(name, bench)
    assert abs(trained_parameters(model) - 90_000) <= TOLERANCE * 90_000
    images, labels = IMAGES.train.images[:16], torch.arange(16) % 10
    model.train()((images, labels), Noise.range(0, 16))["loss"].backward()
    model.eval()
    setting = min(model.settings(), key=lambda each: each.calls)
    for weight in (0.0, 1.0):
        guided = replace(setting, guidance=weight)
        states = model.states(Noise.range(1, 3), labels[:3], guided)
        made = model.sample(Noise.range(1, 3), labels[:3], guided)
        assert len(states) == setting.calls and torch.equal(states[-1], made)
        assert made.shape == (3, 1, 28, 28) and 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize("name", ["pixel-codes", "latent-mixture", "latent-flow"])
def test_an_arm_that_was_saved_samples_the_same(name: str, bench: Bench, tmp_path: Path) -> None:
    """What it took from its training images is read from the file, not from other images."""
    config = arm_tokenizer(name, CONFIG)
    tokens = None if config is None else TokenizerRun(config, 0, tmp_path / "tokens")
    if tokens is not None:
        tokens.train(bench, lambda share: None)
    run = ArmRun(name, 0, tokens, tmp_path / "arm")
    seen: list[torch.Tensor] = []

    def draw(model: StudyModel) -> torch.Tensor:
        setting = judged(model.settings(), 4)
        return model.sample(Noise.range(2, 4), torch.arange(4), setting)

    def measure(model: StudyModel) -> dict[str, float | None]:
        seen.append(draw(model))
        return {}

    run.train(bench, lambda share: None, learning_rate=1e-3, measure=measure)
    fewer = replace(bench, train=replace(bench.train, images=bench.train.images.flip(0)))
    assert torch.equal(draw(run.load(fewer)), seen[-1])


def test_codebooks_of_pixels_are_those_of_a_seed(bench: Bench) -> None:
    def codebook(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        model = build_arm("pixel-codes", CONFIG, None, IMAGES.train.images, 10)
        assert isinstance(model, Refinement)
        return model.tokenizer.lookup(torch.arange(8)[None, :, None], 3).value

    assert torch.equal(codebook(0), codebook(0))
    assert not torch.equal(codebook(0), codebook(1))


def test_codes_in_parts_are_those_of_the_same_tokeniser(bench: Bench) -> None:
    config = arm_tokenizer("latent-codes-parts", CONFIG)
    assert config is not None and config == arm_tokenizer("latent-codes-1", CONFIG)
    whole = untrained_tokenizer(config, bench).eval()
    for parameter in whole.phi.parameters():
        torch.nn.init.normal_(parameter)
    parts, images = in_parts(whole, 4), IMAGES.train.images[:5]
    codes, split = whole.encode(images)[0], parts.encode(images)
    assert len(split) == 4
    for k, code in enumerate(split):
        assert torch.equal(code, codes[:, parts.get_buffer(f"cells_{k}")])
    assert torch.allclose(parts.decode(split), whole.decode([codes]), atol=1e-6)


def test_arms_are_named_by_what_they_are() -> None:
    labels = [arm.label for arm in ARMS.values()]
    assert len(set(labels)) == len(labels)
    assert {ARMS[name].scales for name in ARMS if name.startswith("latent-codes")} == set(SIZES)
    assert all(sizes[-1] == 7 and len(sizes) == count for count, sizes in SIZES.items())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"arms": ("latent-code",)}, "the arm 'latent-code'.*Did you mean 'latent-codes'"),
        ({"arms": ("absorbing", "absorbing")}, "'absorbing' twice"),
        ({"arms": ("absorbing",)}, "found the refiner 'latent-codes', expected one of `arms`"),
        ({"arms": ()}, "one value or more"),
        ({"seeds": (1, 1)}, "expected each once"),
        ({"seeds": (-1,)}, "a whole number of at least 0"),
        ({"budget": {"tokens": 0}}, "a whole number above 0"),
        ({"budget": {"precision": "16"}}, "budget.precision"),
        ({"backbone": {"dim": 30}}, "a multiple of the heads"),
        ({"tuning": {"samples": 9}}, "a whole number of at least 10"),
        ({"tuning": {"guidance": ()}}, "one value or more"),
        ({"tuning": {"further_arms": ("pixel-flo",)}}, "'pixel-flo'.*Did you mean 'pixel-flow'"),
        ({"measurement": {"calls": (4, 2)}}, "rising numbers"),
    ],
)
def test_wrong_configs(values: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        StudyConfig(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["study", "study_quick", "study_long"])
def test_configs_plan_what_every_claim_needs(name: str, tmp_path: Path) -> None:
    config = load(StudyConfig, CONFIGS / f"{name}.yaml")
    few = replace(
        config,
        images=None,
        tuning=replace(config.tuning, images=50, samples=40),
        measurement=replace(config.measurement, samples=50, bits_images=10, energy_samples=50),
    )
    bench = Bench.of(few, IMAGES, tmp_path)
    plan = make_plan(bench, Speed(1e-6, 1e-6, 1e-6, 1e-6))
    assert set(plan.seeds) == set(config.arms) and set(plan.seeds["absorbing"]) == {*config.seeds}
    for traits in plan.traits.values():
        compute = config.budget.steps(traits.tokens) * traits.tokens * config.budget.batch
        assert abs(compute / config.budget.tokens - 1) < 0.02
        assert abs(traits.parameters / config.backbone.parameters - 1) < TOLERANCE
        assert any(setting.calls <= 16 for setting in traits.settings)


@pytest.mark.parametrize("name", ["latent-codes", "latent-diffusion"])
def test_samples_are_drawn_in_the_precision_of_the_training(name: str, bench: Bench) -> None:
    model = untrained_arm(name, bench).eval()
    seen: list[torch.dtype] = []
    block = next(each for each in model.modules() if isinstance(each, Block))
    hook = block.mlp.register_forward_hook(lambda module, inputs, out: seen.append(out.dtype))
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.05)
    noise, labels, setting = Noise.range(1, 4), torch.arange(4), judged(model.settings(), 4)
    made = []
    for precision in ("32-true", "bf16-mixed", "32-true"):
        with as_trained(model, precision), torch.no_grad():
            made.append(model.sample(noise, labels, setting))
    hook.remove()
    assert set(seen[: len(seen) // 3]) == set(seen[-len(seen) // 3 :]) == {torch.float32}
    assert set(seen[len(seen) // 3 : -len(seen) // 3]) == {torch.bfloat16}
    assert torch.equal(made[0], made[2]) and made[1].dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")
