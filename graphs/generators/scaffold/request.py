"""A scaffold as a user asks for it; of molecules, RDKit decides whether a sample contains it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.scaffold.sampler import extend
from graphs.generators.scaffold.scaffold import Scaffold
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.sampling import Sampling


@dataclass(frozen=True)
class ScaffoldRequest:
    """A scaffold that has been checked.

    Args:
        scaffold: Its nodes and edges.
        vocabulary: The names of its labels.
        smiles: As typed, if it is a molecule.
    """

    scaffold: Scaffold
    vocabulary: Vocabulary
    smiles: str | None = None

    @classmethod
    def of(cls, given: str | GraphBatch, statistics: GraphStatistics) -> "ScaffoldRequest":
        """A request by SMILES, or by a batch of one graph.

        Args:
            given: The scaffold.
            statistics: Of the graphs that the model was trained on.

        Raises:
            InputError: It is no molecule, or no graph of training could contain it.
        """
        vocabulary = statistics.vocabulary
        if vocabulary.directed:
            raise InputError("Directed graphs take no scaffolds: leave `scaffold` out.")
        if isinstance(given, GraphBatch):
            request = cls(Scaffold.of(given), vocabulary)
        elif vocabulary.molecular:
            request = cls(Scaffold.read(given, statistics), vocabulary, given)
        else:
            raise InputError("This model's graphs are not molecules: give a scaffold as a graph.")
        request.scaffold.check(statistics)
        return request

    def sample(
        self,
        refiner: GraphRefiner,
        noise: Noise,
        context: Tensor | None,
        sampling: Sampling,
        particles: int,
    ) -> GraphBatch:
        """Draw graphs that contain the scaffold, see `graphs.generators.scaffold.sampler`."""
        return extend(
            refiner,
            self.scaffold.to(noise.index.device),
            noise,
            context,
            sampling=sampling,
            particles=particles,
            accept=self._found if self.smiles else None,
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
