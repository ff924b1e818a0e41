"""Contraction as a kind of generator."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.data.batch import GraphBatch
from graphs.generators.common.config import SamplingConfig, SamplingOptions
from graphs.generators.common.kind import check_known
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.embed import GraphEmbed
from graphs.generators.contraction.refiner import ContractionRefiner
from graphs.generators.contraction.split.head import SplitHead
from graphs.generators.contraction.symmetry import symmetry_checks
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.invariance.report import NamedCheck
from refine_core.errors import InputError
from refine_core.refiner import Refiner
from refine_core.schedule import ScaleSchedule


@dataclass(frozen=True)
class Contraction:
    """A `graphs.generators.common.kind.GeneratorKind`."""

    config: ContractionConfig
    extends_scaffolds: bool = True

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

    def check(self, sampling: SamplingConfig) -> None:
        """Refuse settings that contractions do not know."""
        advice = {
            "calls": "whose calls follow from the size of its graphs: "
            "give parallel one, independent or all"
        }
        check_known("contraction", sampling, ("temperature", "guidance", "parallel"), advice)

    def schedule(self, refiner: Refiner, sampling: SamplingConfig) -> ScaleSchedule:
        """Set which clusters split in one call."""
        tokens = refiner.tokenizer
        assert isinstance(tokens, ContractionTokenizer)
        tokens.parallel = sampling.parallel or self.config.parallel
        return tokens.schedule

    def alternatives(self, calls: Sequence[int]) -> dict[str, SamplingOptions]:
        """All clusters split at once, or all but neighbours."""
        return {
            "all at once": {"parallel": "all"},
            "no neighbours": {"parallel": "independent"},
        }

    def symmetry_checks(self, refiner: Refiner, batch: GraphBatch, seed: int) -> list[NamedCheck]:
        """Of the networks, and of the likelihood."""
        return symmetry_checks(refiner, batch, seed)
