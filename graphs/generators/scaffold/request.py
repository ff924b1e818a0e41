"""A scaffold as a user asks for it; of molecules, RDKit decides whether a sample contains it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.particles import REFUSED, Weigh
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.refiner import ContractionRefiner, GraphMethod
from graphs.generators.scaffold.sampler import extend
from graphs.generators.scaffold.scaffold import Scaffold
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.sampling.settings import Sampling

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScaffoldRequest:
    """A scaffold, and the model that is to extend it, which have been checked.

    Args:
        refiner: Refiner of contractions.
        scaffold: Nodes and edges that every sample shall contain.
        vocabulary: The names of their labels.
        smiles: As typed, if it is a molecule.
    """

    refiner: ContractionRefiner
    scaffold: Scaffold
    vocabulary: Vocabulary
    smiles: str | None = None

    @classmethod
    def of(
        cls, given: str | GraphBatch, refiner: GraphRefiner, statistics: GraphStatistics
    ) -> "ScaffoldRequest":
        """A request by SMILES, or by a batch of one graph.

        Args:
            given: The scaffold.
            refiner: Refiner of any kind.
            statistics: Statistics of the graphs that it was trained on.

        Raises:
            InputError: It is no molecule, no graph of training could contain it, or the refiner is
                not of contractions.
        """
        vocabulary = statistics.vocabulary
        if not isinstance(refiner, ContractionRefiner):
            raise InputError(
                "This kind of model cannot extend a scaffold: use one of kind 'contraction', such "
                "as the shipped qm9."
            )
        if vocabulary.directed:
            raise InputError("Directed graphs take no scaffolds: leave `scaffold` out.")
        if isinstance(given, GraphBatch):
            request = cls(refiner, Scaffold.of(given), vocabulary)
        elif not isinstance(given, str):
            raise InputError(
                f"Found the scaffold {given!r:.40}, expected SMILES or a batch of one graph."
            )
        elif vocabulary.molecular:
            from graphs.chem.substructure import ignored

            if lost := ignored(given):
                log.warning("%s: %s ignored, for graphs have none", given, " and ".join(lost))
            request = cls(refiner, Scaffold.read(given, statistics), vocabulary, given)
        else:
            raise InputError("This model's graphs are not molecules: give a scaffold as a graph.")
        request.scaffold.check(statistics)
        return request

    def sample(
        self,
        noise: Noise,
        context: Tensor | None,
        sampling: Sequence[Sampling],
        particles: int,
        methods: Sequence[GraphMethod] = (),
        weigh: Weigh | None = None,
    ) -> GraphBatch:
        """Draw graphs that contain the scaffold, see `graphs.generators.scaffold.sampler`."""

        def weight(graphs: GraphBatch) -> Tensor:
            nothing = torch.zeros(len(graphs), device=graphs.nodes.device)
            found = nothing if weigh is None else weigh(graphs)
            return found if self.smiles is None else found - REFUSED * ~self._found(graphs)

        return extend(
            self.refiner,
            self.scaffold.to(noise.index.device),
            noise,
            context,
            sampling=sampling,
            methods=methods,
            particles=particles,
            weigh=weight,
        )

    def _found(self, graphs: GraphBatch) -> Tensor:
        """(b,) bool: molecules in which RDKit finds the scaffold, and graphs that are none.

        RDKit does not find alternating bonds that have become part of another aromatic ring.
        """
        from graphs.chem import to_smiles
        from graphs.chem.substructure import contain

        assert self.smiles is not None
        smiles = to_smiles(graphs.to("cpu"), self.vocabulary)
        pairs = zip(contain(smiles, self.smiles), smiles, strict=True)
        found = [there or text is None for there, text in pairs]
        return torch.tensor(found, device=graphs.nodes.device)
