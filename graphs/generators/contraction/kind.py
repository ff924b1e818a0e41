"""Contraction as a kind of generator."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.fragments import FragmentTables
from graphs.generators.common.kind import GeneratorKind, Names
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.sizes import SizeLimit
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.attachment.head import AttachmentHead
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.counts.head import CountHead
from graphs.generators.contraction.embed import GraphEmbed
from graphs.generators.contraction.head import ContractionHead
from graphs.generators.contraction.refiner import ContractionRefiner
from graphs.generators.contraction.split.head import SplitHead
from graphs.generators.contraction.symmetry import symmetry_checks
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.generators.contraction.transfer import transferred
from graphs.invariance.report import NamedCheck
from refine_core.errors import InputError
from refine_core.methods.registry import build_methods


@dataclass(frozen=True)
class Contraction(GeneratorKind):
    """Graphs come apart split by split."""

    config: ContractionConfig

    def build(self, statistics: GraphStatistics, properties: int = 0) -> ContractionRefiner:
        """An untrained refiner."""
        config = self.config
        if statistics.vocabulary.directed and config.edge_tokens != "none":
            raise InputError(
                f"A contraction with edge_tokens {config.edge_tokens!r} takes no directed graphs: "
                "set `model.edge_tokens` to none."
            )
        tokens = ContractionTokenizer(
            statistics.vocabulary,
            statistics.max_counts,
            statistics.connected,
            config.matching,
            _tables(statistics.vocabulary),
            statistics.acyclic,
        )
        limits = statistics.valence_limits if config.bounded else None
        return ContractionRefiner(
            tokens,
            self._embed(tokens, limits, properties),
            set_transformer(config.dim, config.depth, config.heads, config.dropout, levels=4),
            self._head(tokens, limits, statistics.size_limit),
            scale_subsampling=config.scale_subsampling,
            single_dropout=config.single_dropout if properties > 1 else 0.0,
            dropout=config.property_dropout,
            methods=build_methods(config.methods),
        )

    def _embed(
        self, tokens: ContractionTokenizer, limits: ValenceLimits | None, properties: int
    ) -> GraphEmbed:
        config = self.config
        return GraphEmbed(
            config.dim,
            config.heads,
            tokens.max_counts[: tokens.labels],
            tokens.kinds,
            reach=config.reach,
            properties=properties,
            valence_limits=limits,
            edge_tokens=config.edge_tokens,
        )

    def _head(
        self,
        tokens: ContractionTokenizer,
        limits: ValenceLimits | None,
        size_limit: SizeLimit | None,
    ) -> ContractionHead:
        config, values = self.config, tokens.digit_values(0)
        split = SplitHead(
            config.dim,
            tokens.labels,
            tokens.kinds,
            values,
            tokens.connected,
            limits,
            tokens.kinds if config.edge_tokens == "none" else None,
        )
        sizes = tokens.labels, tokens.kinds, values
        counts = CountHead(config.dim, *sizes, tokens.connected, limits, size_limit)
        tables = tokens.fragments
        attachment = None if tables is None else AttachmentHead(config.dim, tables)
        return ContractionHead(counts, split, attachment)

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
        """Checks of the networks and of the likelihood."""
        return symmetry_checks(refiner, batch, seed)


def _tables(vocabulary: Vocabulary) -> FragmentTables | None:
    """Tables of node labels, where some are fragments."""
    if not vocabulary.has_fragments:
        return None
    from graphs.chem.fragments import tables

    return tables(vocabulary.nodes)
