"""Two models share the scales."""

import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.methods.collaborative import Collaborative
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.sampling.settings import Sampling
from refine_core.tokens import History
from refine_core.transformer import Transformer
from tests.refine_core.tiny import DIM, refiner

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])
Own = Collaborative[Tensor, Tensor, Tensor, Tensor]


def smaller(history: History = "full") -> Refiner[Tensor, Tensor, Tensor, Tensor]:
    model = refiner(history=history)
    one = Transformer(8, 1, 2, 4, 8, history=history)
    for parameter in one.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return Refiner(model.tokenizer, model.embed, one, model.head).eval()


@pytest.mark.parametrize("history", ["full", "markov"])
@pytest.mark.parametrize("guidance", [0.0, 1.5])
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("calls", [0, 1, 2, 3])
def test_each_scale_has_the_probabilities_of_its_model(
    calls: int, cached: bool, guidance: float, history: History
) -> None:
    large, small, own = refiner(history=history), smaller(history), Own("small", calls)
    own.connect(large, {"small": small}.__getitem__)
    noise, sampling = Noise.range(0, 6), [Sampling(guidance=guidance)]
    trace = large.sample_trace(noise, LABELS, sampling=sampling, cached=cached, methods=[own])
    for k, code in enumerate(trace.codes):
        model = large if k < calls else small
        dist, free = (model.distributions(trace.states[:-1], c)[k] for c in (LABELS, None))
        assert torch.equal(dist.guided(free, guidance).sample(noise.fork(k)), code)


def test_with_all_scales_nothing_changes() -> None:
    large, own = refiner(), Own("small", 3)
    own.connect(large, {"small": smaller()}.__getitem__)
    a, b = (large.sample(Noise.range(0, 6), LABELS, methods=m) for m in ([], [own]))
    assert torch.equal(a, b)


def test_the_other_model_is_checked() -> None:
    with pytest.raises(InputError, match="found no smaller model: name one as `small`"):
        Own().connect(refiner(), torch.nn.Module().get_submodule)
    with pytest.raises(InputError, match="'collaborative' combines models of one tokeniser"):
        Own("small").connect(refiner(), {"small": torch.nn.Linear(1, 1)}.__getitem__)
