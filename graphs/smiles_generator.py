"""A model of molecules as benchmarks know one: SMILES, fresh ones at each call.

It is a `DistributionMatchingGenerator` of GuacaMol (Brown et al. 2019), in fact where that is
installed, and in form where it is not:

    generator = SmilesGenerator(graphs.load("qm9"))
    assess_distribution_learning(generator, chembl_training_file="train.smi")
"""

from typing import TYPE_CHECKING

from graphs.model import GraphModel
from refine_core.errors import InputError

if TYPE_CHECKING:
    Base = object
else:
    try:
        from guacamol.distribution_matching_generator import DistributionMatchingGenerator as Base
    except ImportError:
        Base = object


class SmilesGenerator(Base):
    """Draws molecules, those that come after the ones drawn before.

    Args:
        model: Of molecules.
        seed: Seed of the samples. Molecule i of all calls together depends on it and i only.
        where: Wanted values of properties, in the data's units.
        guidance: Weight of classifier-free guidance; by default the model's.
        temperature: By default the model's.
        batch: Molecules at a time.

    Attributes:
        drawn: Count of molecules drawn so far.

    Raises:
        InputError: The model's graphs are not molecules.

    >>> import graphs
    >>> generator = graphs.SmilesGenerator(graphs.load("qm9"), seed=0)
    >>> molecules = generator.generate(2) + generator.generate(1)
    >>> len(set(molecules)), generator.drawn
    (3, 3)
    """

    def __init__(
        self,
        model: GraphModel,
        *,
        seed: int = 0,
        where: dict[str, float] | None = None,
        guidance: float | None = None,
        temperature: float | None = None,
        batch: int = 500,
    ) -> None:
        if not model.is_molecular:
            raise InputError("This model's graphs are not molecules, so they have no SMILES.")
        self.model, self.seed, self.batch = model, seed, batch
        self.where, self.guidance, self.temperature = where, guidance, temperature
        self.drawn = 0

    def generate(self, number_samples: int) -> list[str]:
        """Canonical SMILES of molecules, uncorrected; empty, and so invalid, where RDKit refuses.

        Args:
            number_samples: How many, 0 or more.

        Raises:
            InputError: As of `GraphModel.sample`.
        """
        if number_samples == 0:
            return []
        made = self.model.sample(
            number_samples,
            seed=self.seed,
            first=self.drawn,
            where=self.where,
            guidance=self.guidance,
            temperature=self.temperature,
            batch=self.batch,
        )
        self.drawn += number_samples
        return [smiles or "" for smiles in self.model.smiles(made)]
