"""Laws of the heads and codebooks of the paper's section 4."""

import pytest
import torch
from torch import Tensor, nn

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
