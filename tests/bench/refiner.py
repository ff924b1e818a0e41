"""What the refiner of configs/images/mnist.yaml costs, and what the key-value cache saves.

`train`: a training step over one of PyTorch's own encoder of the same width, depth, heads,
feed-forward width, count of tokens and mask, with an output layer of as many logits, the same
loss and optimiser.
`sample`: drawing images without the cache over with it; with guidance over without.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from images.build import ImageRefiner, build, build_tokenizer
from images.config import ImagesConfig
from refine_core.app.processes.memory import keep_freed
from refine_core.config.schema import load
from refine_core.noise import Noise
from refine_core.sampling.settings import Sampling
from refine_core.tokens import visible
from tests.bench.timing import Call, ratio

ALL = load(ImagesConfig, Path(__file__).parents[2] / "configs" / "images" / "mnist.yaml")
CONFIG, BATCH = ALL.generator, 64


def bench() -> dict[str, float]:
    """Ratios by name; about a minute. Freed memory is kept from here on, as by `fit`."""
    keep_freed()
    torch.manual_seed(0)
    model = _refiner()
    images, labels = torch.rand(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    noise = Noise(0, torch.arange(BATCH))
    ours, bare = _step(model, lambda: model((images, labels), noise)["loss"]), _bare(model)
    trained = ratio(ours, bare, seconds=20)
    model.eval()
    guided = [Sampling(guidance=1.0)]
    scales = len(model.tokenizer.schedule)
    coarse = Sampling.per_scale(scales, guidance=[float(k < scales / 2) for k in range(scales)])
    return {
        "train step / bare transformer": trained,
        "sampling without / with cache": ratio(
            lambda: model.sample(noise, labels, cached=False), lambda: model.sample(noise, labels)
        ),
        "sampling with / without guidance": ratio(
            lambda: model.sample(noise, labels, sampling=guided),
            lambda: model.sample(noise, labels),
        ),
        "sampling with guidance of the coarse half / of all scales": ratio(
            lambda: model.sample(noise, labels, sampling=coarse),
            lambda: model.sample(noise, labels, sampling=guided),
        ),
    }


def _refiner() -> ImageRefiner:
    tokens = build_tokenizer(ALL.tokenizer, 1, (28, 28))
    return build(CONFIG, tokens.eval(), 10).train()


def _bare(model: ImageRefiner) -> Call:
    """One training step of `nn.TransformerEncoder` on as many tokens."""
    scales = model.tokenizer.schedule
    level = torch.cat([torch.full((s.tokens,), k) for k, s in enumerate(scales)])
    codes = sum(s.tokens * (s.codes or 0) for s in scales) // len(level)
    mask = ~visible(level, level, "full")
    layer = nn.TransformerEncoderLayer(
        CONFIG.dim, CONFIG.heads, 4 * CONFIG.dim, 0.0, "gelu", batch_first=True, norm_first=True
    )
    encoder = nn.TransformerEncoder(layer, CONFIG.depth, enable_nested_tensor=False)
    net = nn.ModuleList([encoder, nn.Linear(CONFIG.dim, codes)]).train()
    x, target = (
        torch.randn(BATCH, len(level), CONFIG.dim),
        torch.randint(codes, (BATCH, len(level))),
    )

    def loss() -> Tensor:
        return nn.functional.cross_entropy(
            net[1](net[0](x, mask=mask)).flatten(0, 1), target.flatten()
        )

    return _step(net, loss)


def _step(net: nn.Module, loss: Callable[[], Tensor]) -> Call:
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], fused=True)

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
