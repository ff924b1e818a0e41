"""Masked diffusion as a kind of generator."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.data.batch import GraphBatch
from graphs.generators.common.config import SamplingConfig, SamplingOptions, refuse_properties
from graphs.generators.common.kind import GeneratorKind, refuse_directed
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.masked.config import MaskedConfig
from graphs.generators.masked.embed import PartialEmbed
from graphs.generators.masked.head import RevealHead
from graphs.generators.masked.refiner import MaskedRefiner
from graphs.generators.masked.symmetry import symmetry_checks
from graphs.generators.masked.tokenizer import MaskedTokenizer
from graphs.invariance.report import NamedCheck

CALLS = 32


@dataclass(frozen=True)
class Masked(GeneratorKind):
    """Masked diffusion of labels."""

    config: MaskedConfig

    def build(self, statistics: GraphStatistics, properties: int = 0) -> MaskedRefiner:
        """An untrained refiner."""
        config = self.config
        refuse_directed("masked", statistics)
        refuse_properties("masked", properties)
        tokens = MaskedTokenizer(statistics.vocabulary, statistics.sizes)
        limits = statistics.valence_limits if config.bounded else None
        return MaskedRefiner(
            tokens,
            PartialEmbed(config.dim, config.heads, tokens.labels, config.reach, limits),
            set_transformer(config.dim, config.depth, config.heads, config.dropout, levels=2),
            RevealHead(tokens, config.dim, config.reach, limits),
        )

    def prepare(self, refiner: GraphRefiner, sampling: SamplingConfig) -> None:
        """Set the number of calls."""
        tokens = refiner.tokenizer
        assert isinstance(tokens, MaskedTokenizer)
        tokens.set_calls(sampling.calls or CALLS)

    def alternatives(self, calls: Sequence[int]) -> dict[str, SamplingOptions]:
        """The numbers of calls."""
        return {f"{number} calls": {"calls": number} for number in sorted(set(calls))}

    def symmetry_checks(
        self, refiner: GraphRefiner, batch: GraphBatch, seed: int
    ) -> list[NamedCheck]:
        """Checks of the networks."""
        return symmetry_checks(refiner, batch, seed)
