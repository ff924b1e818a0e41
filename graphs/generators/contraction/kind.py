"""Contraction as a kind of generator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.config import SamplingConfig, SamplingOptions
from graphs.generators.common.kind import Names
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.embed import GraphEmbed
from graphs.generators.contraction.refiner import ContractionRefiner
from graphs.generators.contraction.split.head import SplitHead
from graphs.generators.contraction.symmetry import symmetry_checks
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.generators.contraction.transfer import transferred
from graphs.invariance.report import NamedCheck
from refine_core.errors import InputError


@dataclass(frozen=True)
class Contraction:
    """A `graphs.generators.common.kind.GeneratorKind`."""

    config: ContractionConfig

    def build(self, statistics: GraphStatistics, properties: int = 0) -> ContractionRefiner:
        """An untrained refiner."""
        config, edges_are_tokens = self.config, self.config.edge_tokens != "none"
        if statistics.vocabulary.directed and edges_are_tokens:
            raise InputError(
                f"A contraction with edge_tokens {config.edge_tokens!r} takes no directed graphs: "
                "set `model.edge_tokens` to none."
            )
        limits = statistics.valence_limits if config.bounded else None
        tokens = ContractionTokenizer(
            statistics.vocabulary,
            statistics.max_counts,
            config.parallel,
            statistics.connected,
            config.matching,
        )
        embed = GraphEmbed(
            config.dim,
            config.heads,
            tokens.labels,
            tokens.kinds,
            reach=config.reach,
            properties=properties,
            valence_limits=limits,
            cycles=config.cycles,
            edge_tokens=config.edge_tokens,
        )
        head = SplitHead(
            config.dim,
            tokens.digits(0),
            tokens.digit_values(0),
            statistics.connected,
            limits,
            config.coupled,
            config.smooth,
            None if edges_are_tokens else tokens.kinds,
        )
        return ContractionRefiner(
            tokens,
            embed,
            set_transformer(config.dim, config.depth, config.heads, config.dropout, levels=3),
            head,
            scale_subsampling=config.scale_subsampling,
            single_dropout=config.single_dropout if properties > 1 else 0.0,
            dropout=config.property_dropout,
        )

    def prepare(self, refiner: GraphRefiner, sampling: SamplingConfig) -> None:
        """Set which clusters split in one call."""
        tokens = refiner.tokenizer
        assert isinstance(tokens, ContractionTokenizer)
        tokens.parallel = sampling.parallel or self.config.parallel

    def alternatives(self, calls: Sequence[int]) -> dict[str, SamplingOptions]:
        """All clusters split at once, or all but neighbours."""
        return {
            "all at once": {"parallel": "all"},
            "no neighbours": {"parallel": "independent"},
        }

    def transferred(
        self,
        own: Mapping[str, Tensor],
        given: Mapping[str, Tensor],
        ours: Names,
        theirs: Names,
    ) -> dict[str, Tensor]:
        """Rows follow labels of the same name, columns properties."""
        return transferred(own, given, ours, theirs)

    def symmetry_checks(
        self, refiner: GraphRefiner, batch: GraphBatch, seed: int
    ) -> list[NamedCheck]:
        """Of the networks, and of the likelihood."""
        return symmetry_checks(refiner, batch, seed)
