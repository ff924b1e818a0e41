"""Configuration of the graphs domain; the files are in `configs/graphs/`."""

from dataclasses import field
from typing import Literal

from refine_core.config.ranges import RunName
from refine_core.config.schema import config
from refine_core.training.config import Optimisation


@config
class DataConfig:
    """What to learn."""

    source: str = "qm9"
    """qm9, moses, a generator (planar, tree, sbm, ego, grid, lobster, dag), the path of a .smi,
    .csv or .sdf file, optionally gzipped, or of a .graphml file or a folder of such. Nodes and
    edges of these are told apart by an attribute `label`; they are all directed, or none is."""
    column: str = "smiles"
    """Of a .csv file: where the SMILES are."""
    hydrogens: bool = False
    """Whether hydrogens are atoms of their own."""
    aromatic: bool = False
    """Whether aromatic bonds have a label of their own, in place of single and double ones."""
    largest_fragment: bool = False
    """Whether salts and mixtures are cut down to their largest fragment."""
    limit: int = 200
    """Largest molecule, in atoms."""
    count: int = 200
    """Graphs drawn from a generator: 64 % to learn from, 16 % validate, 20 % test."""
    subset: int | None = None
    """Learn from that many of the training graphs, drawn at random; null takes all. Of MOSES the
    others are not even read, and what is new is judged by what was learnt from."""
    properties: tuple[str, ...] = ()
    """Numeric columns to condition on, or what RDKit computes of molecules, e.g. logp and qed."""


@config
class ModelConfig:
    """The refiner."""

    kind: Literal["contraction", "expansion", "masked"] = "contraction"
    """contraction: graphs come apart from one cluster, the default; expansion: likewise, but
    edges are dealt one after the other, for graphs without labels; masked: masked diffusion of
    labels, the control. Only contractions take properties and scaffolds."""
    dim: int = 128
    """Width."""
    depth: int = 4
    """Blocks."""
    heads: int = 8
    """Attention heads."""
    dropout: float = 0.0
    """Dropout inside the blocks."""
    parallel: Literal["one", "independent", "all"] = "independent"
    """Clusters that split in one call: one; all but neighbours; all."""
    bounded: bool = True
    """Whether splits are drawn again that leave a node more edges, or of higher order, than any
    node of its label had in training."""
    matching: Literal["random", "rings", "dense", "tight"] = "random"
    """Whom a cluster is contracted with: any neighbour with which it makes a small one; or that to
    which there are most ways, which keeps clusters compact and inside communities; or, tight, one
    with which it has no more than two common neighbours, which keeps triangulations such."""
    counted: bool = False
    """Expansion only: whether edges between clusters are counted, for graphs whose communities
    show in how many there are; or it is only known that there are some."""
    every: int | None = None
    """Expansion only: training learns from every scale with that many clusters or fewer, and from
    a random choice of the others, the fewer the larger they are; null learns from all."""
    coupled: bool = False
    """Whether the edges of a cluster that splits are dealt out knowing of each other."""
    smooth: bool = False
    """Whether large counts are alike when they are near, so that what is learnt of 100 edges holds
    for 101: pays where counts are large and graphs few."""
    cycles: bool = False
    """Whether attention tells triangles."""
    shown: Literal["all", "splitting", "none"] = "all"
    """Which edges are tokens: all; only those at clusters that split next, which is several times
    as fast where graphs are large, but hides the labels of others; or none, which is the fastest:
    edges pass messages between clusters, and their labels bias attention."""
    share: float | None = None
    """Of the scales of a graph, those of m clusters are learnt from with the probability
    share / sqrt(m), so that a step can hold more graphs; null learns from all."""
    reach: int = 8
    """Largest distance that attention tells apart; a bond away is 2."""
    property_dropout: float = 0.1
    """Share of samples trained without their properties, for guidance."""
    single_dropout: float = 0.0
    """Of several properties: share of values that are left out one by one in training, so that any
    subset of them can be asked for."""
    start_from: str | None = None
    """A shipped model's name, a run's folder or a file: training starts from its weights, as far
    as names and shapes agree; weights of new properties start at zero."""
    weighting: Literal["bound", "plain"] = "plain"
    """Masked only: hidden elements count by the bound on the likelihood, or alike."""
    training: Optimisation = field(default_factory=Optimisation)


@config
class SamplingConfig:
    """How a model samples unless told otherwise."""

    parallel: Literal["one", "independent", "all"] = "independent"
    """Clusters that split in one call."""
    temperature: float = 1.0
    """Divides the logits."""
    calls: int | None = None
    """Network calls of masked diffusion; null is 32. Those of the other kinds follow from the size
    of the graph."""
    order: Literal["random", "confidence"] = "random"
    """Masked only: which labels are revealed next."""
    guidance: float = 0.0
    """Weight of classifier-free guidance, where properties are asked for."""


@config
class GraphsConfig:
    """A generator of graphs."""

    name: RunName = "qm9"
    """Of the run: everything goes to `runs/<name>/`."""
    seed: int = 0
    """Of weights, order and noise."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
