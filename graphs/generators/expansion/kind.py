"""Local expansion as a kind of generator."""

from dataclasses import dataclass

from graphs.data.batch import GraphBatch
from graphs.generators.common.config import refuse_properties
from graphs.generators.common.kind import GeneratorKind, refuse_directed
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.expansion.edge_count_head import EdgeCountHead
from graphs.generators.expansion.embed import CoarseEmbed
from graphs.generators.expansion.head import AssignmentHead, ExpansionHead
from graphs.generators.expansion.refiner import ExpansionRefiner
from graphs.generators.expansion.symmetry import symmetry_checks
from graphs.generators.expansion.tokenizer import ExpansionTokenizer
from graphs.invariance.report import NamedCheck


@dataclass(frozen=True)
class Expansion(GeneratorKind):
    """Graphs without labels come apart, and assign their edges one by one."""

    config: ExpansionConfig

    def build(self, statistics: GraphStatistics, properties: int = 0) -> ExpansionRefiner:
        """An untrained refiner."""
        config = self.config
        refuse_directed("expansion", statistics)
        refuse_properties("expansion", properties)
        tokens = ExpansionTokenizer(
            statistics.vocabulary, statistics.sizes, config.matching, config.counted
        )
        width = tokens.sizes.largest
        head: ExpansionHead
        if config.counted:
            most_edges = statistics.max_counts[-1]
            head = EdgeCountHead(config.dim, statistics.connected, width, most_edges)
        else:
            head = AssignmentHead(config.dim, statistics.connected, width)
        return ExpansionRefiner(
            tokens,
            CoarseEmbed(config.dim, config.heads, config.reach, config.counted),
            set_transformer(config.dim, config.depth, config.heads, config.dropout, levels=2),
            head,
            scale_thinning=config.scale_thinning,
        )

    def symmetry_checks(
        self, refiner: GraphRefiner, batch: GraphBatch, seed: int
    ) -> list[NamedCheck]:
        """Checks of the networks and of the likelihood."""
        return symmetry_checks(refiner, batch, seed)
