"""Local expansion as a kind of generator."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.data.batch import GraphBatch
from graphs.generators.common.config import SamplingConfig, SamplingOptions
from graphs.generators.common.kind import check_known, refuse_directed, refuse_properties
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.expansion.count_head import CountHead
from graphs.generators.expansion.embed import CoarseEmbed
from graphs.generators.expansion.head import AssignmentHead
from graphs.generators.expansion.refiner import ExpansionRefiner
from graphs.generators.expansion.symmetry import symmetry_checks
from graphs.generators.expansion.tokenizer import ExpansionTokenizer
from graphs.invariance.report import NamedCheck
from refine_core.refiner import Refiner
from refine_core.schedule import ScaleSchedule


@dataclass(frozen=True)
class Expansion:
    """A `graphs.generators.common.kind.GeneratorKind`."""

    config: ExpansionConfig
    extends_scaffolds: bool = False

    def build(self, statistics: GraphStatistics, properties: int = 0) -> ExpansionRefiner:
        """An untrained refiner."""
        config = self.config
        refuse_directed("expansion", statistics)
        refuse_properties("expansion", properties)
        tokens = ExpansionTokenizer(
            statistics.vocabulary, statistics.sizes, config.matching, config.counted
        )
        width = tokens.sizes.largest
        head: AssignmentHead | CountHead
        if config.counted:
            most_edges = statistics.max_counts[-1]
            head = CountHead(config.dim, statistics.connected, width, most_edges)
        else:
            head = AssignmentHead(config.dim, statistics.connected, width)
        return ExpansionRefiner(
            tokens,
            CoarseEmbed(config.dim, config.heads, config.reach, config.counted),
            set_transformer(config.dim, config.depth, config.heads, config.dropout, levels=2),
            head,
            scale_subsampling=config.scale_subsampling,
        )

    def check(self, sampling: SamplingConfig) -> None:
        """Refuse settings that expansions do not know."""
        advice = {"calls": "whose calls follow from the size of its graphs: leave it out"}
        check_known("expansion", sampling, ("temperature",), advice)

    def schedule(self, refiner: Refiner, sampling: SamplingConfig) -> ScaleSchedule:
        """The schedule of the tokeniser."""
        return refiner.tokenizer.schedule

    def alternatives(self, calls: Sequence[int]) -> dict[str, SamplingOptions]:
        """None: the number of calls follows from the graphs."""
        return {"as trained": {}}

    def symmetry_checks(self, refiner: Refiner, batch: GraphBatch, seed: int) -> list[NamedCheck]:
        """Of the networks, and of the likelihood."""
        return symmetry_checks(refiner, batch, seed)
