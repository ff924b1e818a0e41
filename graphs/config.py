"""Configuration of the graphs domain; the files are in `configs/graphs/`."""

from dataclasses import field

from graphs.datasets.config import DataConfig
from graphs.generators.common.config import SamplingConfig, refuse_properties
from graphs.generators.config import ModelConfig
from graphs.generators.contraction.config import ContractionConfig
from refine_core.config.ranges import NonNegativeInt, PositiveInt, RunName
from refine_core.config.schema import config


@config
class GraphsConfig:
    """A generator of graphs.

    Raises:
        InputError: A value is out of its range, or the kind of model takes no such settings of
            sampling, or no properties.

    >>> import graphs
    >>> data, model = graphs.DataConfig(source="mine.smi"), graphs.ContractionConfig(depth=6)
    >>> config = graphs.GraphsConfig(name="mine", data=data, model=model)
    >>> config.model.kind, config.model.depth, config.sampling.temperature
    ('contraction', 6, 1.0)
    """

    name: RunName = "qm9"
    """Name of the run: everything goes to `runs/<name>/`."""
    seed: NonNegativeInt = 0
    """Seed of weights, order and noise."""
    data: DataConfig = field(default_factory=DataConfig)
    """What to learn from."""
    model: ModelConfig = field(default_factory=ContractionConfig)
    """The kind of generator, its network and its training."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How the model samples unless it is told otherwise."""
    energy: NonNegativeInt = 0
    """Samples and training graphs, at most, that a residual energy is fitted to in the end
    (`graphs.energy`); 0 fits none."""
    validations: PositiveInt = 10
    """Times that a training is validated at most, at equal distances and at its end."""

    def __post_init__(self) -> None:
        self.model.check_sampling(self.sampling)
        if not self.model.takes_properties:
            refuse_properties(self.model.kind, len(self.data.properties))
