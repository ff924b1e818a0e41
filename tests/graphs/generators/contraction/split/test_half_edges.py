"""Half-edges at splitting clusters."""

import pytest
import torch

from graphs.generators.contraction.split.half_edges import HalfEdges
from tests.graphs.tiny import graphs, names, refiner


def test_rows_of_similar_length_together_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, noise = refiner(), names(16, seed=5)
    parts = "graphs.generators.contraction.split.half_edges.SHORT_ROW"

    def found() -> tuple[list[torch.Tensor], torch.Tensor]:
        trace = model.sample_trace(noise)
        with torch.no_grad():
            return trace.codes, model.code_log_prob(graphs(16, 9), noise=noise)

    codes, nats = found()
    monkeypatch.setattr(parts, 1)
    half_edges = (HalfEdges.of(state) for state in model.sample_trace(noise).states[1:-1])
    assert any(len(list(each.by_degree())) > 1 for each in half_edges if len(each.row))
    again, same = found()
    assert all(torch.equal(a, b) for a, b in zip(codes, again, strict=True))
    assert torch.allclose(nats, same, atol=1e-4)
