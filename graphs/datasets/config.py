"""Settings of the data to learn from."""

from typing import Literal

from refine_core.config.ranges import NonNegativeInt, PositiveInt
from refine_core.config.schema import config


@config
class DataConfig:
    """What to learn.

    Raises:
        InputError: A value is out of its range, or fragments are asked for beside hydrogens or
            aromatic bonds.

    >>> import graphs
    >>> config = graphs.DataConfig(source="mine.csv", column="molecule", properties=("logp",))
    >>> config.limit, config.fragments
    (200, 0)
    """

    source: str = "qm9"
    """qm9, moses, a generator (planar, tree, sbm, ego, grid, lobster, dag), the path of a .smi,
    .csv or .sdf file, optionally gzipped, or of a .graphml file or a folder of such. Nodes and
    edges of these are told apart by an attribute `label`; they are all directed, or none is."""
    column: str = "smiles"
    """The column of a .csv file that holds SMILES."""
    hydrogens: bool = False
    """Whether hydrogens are atoms of their own."""
    aromatic: bool = False
    """Whether aromatic bonds have a label of their own, in place of single and double ones."""
    fragments: NonNegativeInt | Literal["auto"] = 0
    """So many fragments of molecules are nodes of their own, the most frequent ones among rings
    and groups with double or triple bonds; auto takes those that five molecules have, at most
    1000; 0 makes every atom a node."""
    largest_fragment: bool = True
    """Whether salts and mixtures are cut down to their largest fragment. If some molecules are in
    several pieces, so are samples, and more of them than in the data."""
    limit: PositiveInt = 200
    """Largest molecule, in atoms."""
    count: PositiveInt = 200
    """Graphs of a random family: 64 % to learn from, 16 % validate, 20 % test."""
    subset: PositiveInt | None = None
    """Learn from that many of the training graphs, chosen at random; null takes all. Of MOSES the
    others are not even read, and what is new is judged by what was learnt from."""
    properties: tuple[str, ...] = ()
    """Numeric columns to condition on, or what RDKit computes of molecules, e.g. logp and qed."""

    def __post_init__(self) -> None:
        """Refuse fragments beside labels that they do not have."""
        if self.fragments and (self.hydrogens or self.aromatic):
            raise ValueError(
                "found fragments with hydrogens or aromatic bonds, expected neither: fragments "
                "hold both"
            )
