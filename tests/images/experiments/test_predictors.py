"""Laws of the predictors, heads and codebooks of the paper's section 4."""

import pytest
import torch
from torch import Tensor, nn

from images.experiments.denoisers import Bands, Shape, add_noise, matched_width
from images.experiments.heads import (
    HEADS,
    Bitwise,
    Head,
    Regression,
    Softmax,
    all_words,
    fit_head,
    kmeans,
    similar_words,
)
from refine_core.noise import Noise


def blobs(count: int, seed: int) -> Tensor:
    """Smooth images (count, 1, 8, 8) in [0, 1]."""
    coarse = torch.rand(count, 1, 3, 3, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, size=(8, 8), mode="bilinear")


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 20)])
@pytest.mark.parametrize("scales", [2, 3])
@pytest.mark.parametrize("width", [128, 512])
def test_bands_have_the_parameters_of_a_single_shot(shape: Shape, scales: int, width: int) -> None:
    def size(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    single = size(Bands(shape, 1, width, 0.2))
    several = size(Bands(shape, scales, matched_width(shape, scales, width), 0.2))
    assert abs(several / single - 1) < 0.01


def test_one_band_is_a_perceptron_on_pixels() -> None:
    module, noisy = Bands((1, 8, 8), 1, 5, 0.2), torch.rand(3, 64)
    assert torch.equal(module.denoise(noisy), module.stages[0](noisy))


def test_true_bands_add_up_to_the_image() -> None:
    class Known(nn.Module):
        def __init__(self, band: Tensor) -> None:
            super().__init__()
            self.band = band

        def forward(self, seen: Tensor) -> Tensor:
            return self.band

    module, clean = Bands((1, 8, 8), 3, 5, 0.2), blobs(4, 2)
    module.stages = nn.ModuleList(Known(band) for band in module.pyramid.laplacian(clean))
    assert torch.allclose(module.denoise(torch.rand(4, 64)), clean.flatten(1), atol=1e-6)


def test_no_gradient_passes_between_bands() -> None:
    module, clean = Bands((1, 8, 8), 2, 5, 0.2), blobs(4, 2).flatten(1)
    noisy = add_noise(clean, 0.2, 0)
    module.loss(clean, noisy).backward()
    levels = [module.pyramid.gaussian(x.view(-1, 1, 8, 8))[0].flatten(1) for x in (clean, noisy)]
    alone = nn.functional.mse_loss(module.stages[0](levels[1]), levels[0])
    weights = list(module.stages[0].parameters())
    for weight, gradient in zip(weights, torch.autograd.grad(alone, weights), strict=True):
        assert weight.grad is not None and torch.allclose(weight.grad, gradient, atol=1e-7)


def test_training_noise_follows_from_seed_and_step_only() -> None:
    module, clean = Bands((1, 8, 8), 1, 5, 0.2), torch.rand(4, 64)
    losses = [module((clean,), Noise(seed, torch.arange(4)))["loss"].item() for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def head(name: str, z: Tensor) -> Head:
    return fit_head(name, z, lambda code, z: None, size=6, groups=2, bits=4, seed=0)


@pytest.mark.parametrize("name", HEADS)
def test_a_certain_prediction_decodes_to_the_quantised_latent(name: str) -> None:
    z = torch.randn(300, 8)
    made = head(name, z)
    match made:
        case Softmax():
            certain = nn.functional.one_hot(made.codes(z), made.size).flatten(1) * 1e3
        case Bitwise():
            certain = made.words[made.codes(z)] * 1e3
        case _:
            assert isinstance(made, Regression)
            certain = z
    assert certain.shape[1] == made.outputs
    assert made.loss(certain.float(), z) < 1e-6 < made.loss(-certain.float(), z)
    for mean in (False, True):
        assert torch.allclose(made.decode(certain.float(), mean=mean), made.quantize(z), atol=1e-5)


@pytest.mark.parametrize("name", ["regression", "softmax", "book", "planes"])
def test_codes_keep_their_own_centroids_and_lose_less_than_the_mean(name: str) -> None:
    z = torch.randn(300, 8)
    once = head(name, z).quantize(z)
    assert torch.allclose(head(name, z).quantize(once), once, atol=1e-5)
    assert (once - z).square().mean() < (z - z.mean(0)).square().mean()


def test_an_uninformed_posterior_is_the_mean_of_the_centroids() -> None:
    z = torch.randn(300, 8)
    made = head("planes", z)
    assert isinstance(made, Bitwise)
    found = made.decode(torch.zeros(1, made.outputs), mean=True)
    assert torch.allclose(found[0], made.centroids.mean(0), atol=1e-6)


def test_words_are_distinct_and_keep_neighbours() -> None:
    centroids = torch.cat([torch.randn(8, 5) - 9, torch.randn(8, 5) + 9])
    words = similar_words(centroids, 5)
    assert len({tuple(word) for word in words.tolist()}) == 16
    apart = torch.cdist(words, words)
    assert apart[:8, :8].mean() < apart[:8, 8:].mean()
    assert len(all_words(5).unique(dim=0)) == 32


def test_kmeans_finds_separated_clusters() -> None:
    centres = torch.eye(4) * 50
    z = (centres[:, None] + torch.randn(4, 40, 4)).flatten(0, 1)
    found = kmeans(z, 4, seed=0)
    assert torch.cdist(centres, found).min(1).values.max() < 1
