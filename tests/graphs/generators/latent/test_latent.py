"""The latent pyramid: frequencies and bits."""

import torch

from graphs.generators.latent.laplacian_eigenvectors import frequencies
from graphs.generators.latent.tokenizer import LatentTokenizer
from tests.graphs import tiny
from tests.graphs.kinds import model


def test_frequencies_are_those_of_the_laplacian() -> None:
    batch = tiny.graphs(20, 6)
    n = batch.nodes.shape[1]
    vectors, values = frequencies(batch, torch.randn(20, n, n))
    joined = (batch.edges > 0).float()
    laplacian = torch.diag_embed(joined.sum(2)) - joined
    found = vectors @ torch.diag_embed(values) @ vectors.mT / batch.sizes[:, None, None]
    assert torch.allclose(found, laplacian, atol=1e-4)


def test_latents_are_sums_of_bits_and_their_parts_agree() -> None:
    tokens = model("latent").refiner.tokenizer
    assert isinstance(tokens, LatentTokenizer)
    batch = tiny.graphs(10, 6)
    finals = []
    for calls in (4, 9):
        tokens.ask(calls, "random")
        assert len(tokens.schedule) == calls - 1
        features = tokens.features(batch, tiny.names(10))
        trace = tokens.trace(features)
        finals.append(trace.states[-1].nodes * batch.valid[:, :, None])
        state = trace.states[0]
        for k, code in enumerate(trace.codes):
            state = tokens.add(state, tokens.lookup(code, k).value, k)
        assert torch.equal(state.nodes, trace.states[-1].nodes)
    assert torch.allclose(finals[0], finals[1])
