"""What a user asks to keep: a scaffold, and of molecules RDKit's word on whether it is there."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.valence import Support
from graphs.generators.scaffold.sampler import extend
from graphs.generators.scaffold.scaffold import Scaffold
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.sampling import Sampling


@dataclass(frozen=True)
class Kept:
    """A scaffold, checked.

    Args:
        scaffold: Its nodes and edges.
        vocabulary: What its labels mean.
        smiles: As typed, if it is a molecule.
    """

    scaffold: Scaffold
    vocabulary: Vocabulary
    smiles: str | None = None

    @classmethod
    def of(
        cls,
        given: str | GraphBatch,
        vocabulary: Vocabulary,
        limits: tuple[int, ...],
        support: Support | None,
    ) -> "Kept":
        """Of SMILES, or of a batch of one graph, for a model with these labels and limits.

        Raises:
            InputError: It is no molecule, or nothing that the model can extend.
        """
        if vocabulary.directed:
            raise InputError("Scaffolds of directed graphs are not known: leave `scaffold`.")
        if isinstance(given, GraphBatch):
            kept = cls(Scaffold.of(given), vocabulary)
        elif vocabulary.nodes != ("",):
            kept = cls(Scaffold.read(given, vocabulary, limits), vocabulary, given)
        else:
            raise InputError("This model's graphs are not molecules: give a scaffold as a graph.")
        kept.scaffold.check(vocabulary, limits, support)
        return kept

    def sample(
        self,
        refiner: GraphRefiner,
        noise: Noise,
        context: Tensor | None,
        sampling: Sampling,
        particles: int,
    ) -> GraphBatch:
        """Draw graphs that contain it, see `graphs.generators.scaffold.sampler`."""
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
        """(b,) bool: molecules in which RDKit finds it, and what is no molecule at all.

        Alternating bonds that become part of another aromatic ring are there, but not found.
        """
        from graphs.chem import to_smiles
        from graphs.chem.substructure import contain

        assert self.smiles is not None
        smiles = to_smiles(graphs.to("cpu"), self.vocabulary)
        pairs = zip(contain(smiles, self.smiles), smiles, strict=True)
        found = [there or text is None for there, text in pairs]
        return torch.tensor(found, device=graphs.nodes.device)
