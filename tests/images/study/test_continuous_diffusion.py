"""Laws that Gaussian diffusion and flow matching share, on data of which the denoiser is known."""

from importlib import util

import pytest
import torch
from torch import Tensor, nn

from images.study.backbone import Backbone
from images.study.continuous_diffusion import ContinuousDiffusion
from images.study.flow_matching import FlowMatching
from images.study.gaussian_diffusion import GaussianDiffusion
from images.study.model import Setting
from images.study.spaces import PixelSpace
from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.images.study.tiny import SHAPE, Normal, Numbers, Perfect, Twins, TwoPoints

ARMS: dict[str, type[ContinuousDiffusion]] = {"gaussian": GaussianDiffusion, "flow": FlowMatching}
SAMPLERS = [(kind, name) for kind, arm in ARMS.items() for name in arm.samplers]


def arm(kind: str, perfect: type[Perfect] | None = None, **options: float) -> ContinuousDiffusion:
    """An arm whose network knows the data, or has random weights everywhere."""
    torch.manual_seed(0)
    backbone = Backbone(SHAPE, (2, 2), 1, 1, 10)
    for parameter in backbone.parameters():
        nn.init.normal_(parameter, std=0.2)
    made = ARMS[kind](Numbers(), backbone, **options)
    if perfect is not None:
        made.backbone = perfect(made)  # type: ignore[assignment]
    return made.eval()


def calls(name: str, about: int) -> int:
    return about - 1 if name == "heun" else about


def draw(model: ContinuousDiffusion, name: str, about: int, count: int) -> Tensor:
    labels = torch.zeros(count, dtype=torch.int64)
    return model.sample(Noise.range(0, count), labels, Setting(calls(name, about), name))


@pytest.mark.parametrize(("kind", "name"), SAMPLERS)
def test_samplers_reproduce_normal_data(kind: str, name: str) -> None:
    found = draw(arm(kind, Normal), name, 100, 4000)
    assert abs(float(found.mean()) - Normal.centre) < 0.02
    assert abs(float(found.std()) - Normal.spread) < 0.02
    assert abs(float(torch.corrcoef(found.flatten(1).T)[0, 1])) < 0.06


@pytest.mark.parametrize(("kind", "name"), SAMPLERS)
def test_samplers_reproduce_two_points(kind: str, name: str) -> None:
    model = arm(kind, TwoPoints)
    found = draw(model, name, 100, 2000)
    assert float((found.abs() - 1).abs().mean()) < 0.02
    assert abs(float((found > 0).float().mean()) - TwoPoints.odds) < 0.02
    if name != "heun":  # one call gives the mean of the data
        once = draw(model, name, 1, 10)
        torch.testing.assert_close(once, torch.full_like(once, 0.4), atol=0.04, rtol=0)


@pytest.mark.parametrize("kind", ARMS)
@pytest.mark.parametrize("change", [(1.1, 0.0), (0.9, 0.0), (1.0, 0.1), (1.0, -0.1)])
def test_the_true_denoiser_has_the_least_loss(kind: str, change: tuple[float, float]) -> None:
    class Wrong(Normal):
        def mean(self, noisy: Tensor, a: Tensor, s: Tensor) -> Tensor:
            return change[0] * super().mean(noisy, a, s) + change[1]

    noise = Noise.range(7, 4000)
    data = Normal.centre + Normal.spread * noise.normal(9, 1, 2, 2)
    batch = data, torch.zeros(4000, dtype=torch.int64)
    right, wrong = (arm(kind, each)(batch, noise)["loss"] for each in (Normal, Wrong))
    assert float(right) < float(wrong) - 1e-3


@pytest.mark.parametrize(
    ("kind", "options", "off"),
    [("gaussian", {"draws": 40}, 0.03), ("flow", {"steps": 12}, 0.03)],
)
def test_the_rate_of_normal_data_is_the_known_divergence(
    kind: str, options: dict[str, float], off: float
) -> None:
    """KL of N(a x, s^2) from N(a centre, a^2 spread^2 + s^2), averaged over data."""
    model = arm(kind, Normal, end=0.1, **options)
    noise = Noise.range(1, 1500)
    data = Normal.centre + Normal.spread * noise.normal(9, 1, 2, 2)
    found = model.rate(data, torch.zeros(1500, dtype=torch.int64), noise)
    a, s = (float(each) for each in model.scales(torch.tensor([0.1])))
    wide = (a * Normal.spread) ** 2 + s**2
    far = (a * (data - Normal.centre)).square()
    known = ((s**2 + far) / wide - 1 + torch.tensor(wide / s**2).log()).flatten(1).sum(1) / 2
    assert abs(float(found.mean() / known.mean()) - 1) < off


@pytest.mark.parametrize(("kind", "options"), [("gaussian", {"draws": 60}), ("flow", {})])
def test_the_bits_of_two_images_are_their_entropy(
    kind: str, options: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is tight if the decoder takes over before pixels are uncertain, and it does."""
    monkeypatch.setattr("images.study.continuous_diffusion.ENDS", (0.1, 0.9))
    monkeypatch.setattr("images.study.continuous_diffusion.STEPS", 150)
    backbone = Backbone(SHAPE, (2, 2), 1, 1, 10)
    model = ARMS[kind](PixelSpace((1, 2, 2), 1), backbone, **options)
    model.backbone = Twins(model)  # type: ignore[assignment]
    count, labels = 1500, torch.zeros(1500, dtype=torch.int64)
    white = Noise.range(2, count).uniform(9, 1, 1, 1) < Twins.odds
    images = white.float().expand(count, 1, 2, 2)
    model.calibrate(images, labels, Noise.range(3, count))
    found = model.bits(images, labels, Noise.range(4, count))
    known = -torch.where(white, Twins.odds, 1 - Twins.odds).log2().flatten() / 4
    assert found.kind == "bound"
    assert abs(float(model.end) - 0.1) < 1e-6
    assert abs(float((found.per_dim - known).mean())) < 0.02
    assert float(found.per_dim[~white.flatten()].mean() / found.per_dim.mean()) > 1.3


def test_the_density_of_a_flow_is_that_of_normal_data() -> None:
    """Both traces, point by point: the Jacobian is diagonal, so that signs know it exactly."""
    z = torch.randn(20, 1, 2, 2)
    wide = (0.9 * Normal.spread) ** 2 + 0.1**2
    known = torch.distributions.Normal(0.9 * Normal.centre, wide**0.5).log_prob(z)
    for trace in ("exact", "hutchinson"):
        model = FlowMatching(Numbers(), Backbone(SHAPE, (2, 2), 1, 1, 10), end=0.1, trace=trace)
        model.backbone = Normal(model)  # type: ignore[assignment]
        found = model.log_density(z, torch.zeros(20, dtype=torch.int64), Noise.range(0, 20))
        torch.testing.assert_close(found.float(), known.flatten(1).sum(1), atol=2e-2, rtol=1e-3)


def test_hutchinson_estimates_the_exact_trace() -> None:
    model = arm("flow")
    assert isinstance(model, FlowMatching)
    z, labels = torch.randn(1, 1, 2, 2).expand(4000, 1, 2, 2), torch.zeros(4000).long()
    noise = Noise.range(0, 4000)
    estimates = model._slope(z, 0.5, labels, model._probes(z, noise))[1]
    model.trace = "exact"
    exact = model._slope(z[:1], 0.5, labels[:1], model._probes(z[:1], noise))[1]
    assert float(estimates.std()) > 1e-3
    assert abs(float(estimates.mean() - exact)) < 4 * float(estimates.std()) / 4000**0.5


@pytest.mark.parametrize(("kind", "name"), SAMPLERS)
@pytest.mark.parametrize("guidance", [0.0, 1.0])
def test_a_sample_depends_on_its_own_name(kind: str, name: str, guidance: float) -> None:
    model, labels = arm(kind), torch.tensor([3, -1, 5, 0])
    setting = Setting(calls(name, 6), name, guidance)
    whole = model.sample(Noise.range(2, 4), labels, setting)
    alone = model.sample(Noise(2, torch.tensor([2])), labels[2:3], setting)
    torch.testing.assert_close(alone[0], whole[2], atol=1e-4, rtol=1e-4)
    assert (whole[0] - whole[1]).abs().max() > 1e-2


@pytest.mark.parametrize(("kind", "name"), SAMPLERS)
def test_states_are_one_a_call_and_end_with_the_sample(kind: str, name: str) -> None:
    model, labels = arm(kind), torch.tensor([3, 4])
    counts = [s.calls for s in model.settings() if s.sampler == name]
    assert counts == sorted(counts)
    assert counts[-1] >= 99
    for about in (2, 10):
        setting = Setting(calls(name, about), name)
        states = model.states(Noise.range(0, 2), labels, setting)
        assert len(states) == setting.calls
        sample = model.sample(Noise.range(0, 2), labels, setting)
        torch.testing.assert_close(states[-1], sample)


@pytest.mark.parametrize("kind", ARMS)
def test_settings_that_cannot_be_are_refused(kind: str) -> None:
    model, labels = arm(kind), torch.tensor([3])
    for setting, message in [
        (Setting(4, "heun"), "odd"),
        (Setting(4, "magic"), "the sampler 'magic', expected one of"),
        (Setting(4, model.samplers[0], temperature=0.5), "a temperature of 0.5"),
    ]:
        with pytest.raises(InputError, match=message):
            model.sample(Noise.range(0, 1), labels, setting)


def test_a_missing_library_is_named_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    assert util.find_spec("diffusers")
    monkeypatch.setattr("images.study.gaussian_diffusion.find_spec", lambda name: None)
    with pytest.raises(InputError, match="the library diffusers, which is not installed"):
        arm("gaussian")
