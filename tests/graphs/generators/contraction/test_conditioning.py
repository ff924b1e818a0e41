"""Conditioning on properties: what it changes, and what it does not."""

import torch

from graphs.generators.contraction.refiner import ContractionRefiner
from tests.graphs.tiny import Relabelled, graphs, names, refiner


def conditioned(single_dropout: float = 0.0) -> ContractionRefiner:
    """On two properties."""
    return refiner(properties=2, single_dropout=single_dropout, property_dropout=0.0)


def test_properties_matter_and_dropped_ones_do_not() -> None:
    model, batch = conditioned(), graphs(12, 6)
    values = torch.randn(12, 2)
    everywhere = torch.ones(12).bool()
    with torch.no_grad():
        plain, dropped, full, half = (
            model.code_log_prob(batch, context, names(12))
            for context in (
                None,
                model.embed.drop(values, everywhere),
                values,
                values.clone().index_fill_(1, torch.tensor([1]), torch.nan),
            )
        )
    assert torch.equal(plain, dropped)
    for a, b in ((plain, full), (plain, half), (half, full)):
        assert bool(((a - b).abs().sum(1) > 1e-5).all())


def test_single_properties_are_left_out_in_training() -> None:
    batch, values = graphs(20, 6), torch.randn(20, 2)
    every, none, some = conditioned(), conditioned(1.0), conditioned(0.5)
    unknown = torch.full_like(values, torch.nan)
    with torch.no_grad():
        free = every((batch, unknown), names(20))["loss"]
        assert torch.equal(none((batch, values), names(20))["loss"], free)
        whole = every((batch, values), names(20))["loss"]
        part = some((batch, values), names(20))["loss"]
    assert len({float(x) for x in (free, whole, part)}) == 3


def test_relabelling_changes_nothing_with_properties() -> None:
    batch, model, values = graphs(20, 7), conditioned(), torch.randn(20, 2)
    order = torch.rand(20, 7).argsort(1)
    with torch.no_grad():
        plain = model.code_log_prob(batch, values, names(20))
        moved = model.code_log_prob(batch.permute(order), values, Relabelled(names(20), order))
    assert torch.allclose(plain, moved, atol=1e-4)
