"""Settings of masked diffusion."""

from typing import Literal

from graphs.generators.common.config import NetworkConfig, SamplingConfig, check_known
from refine_core.config.schema import config


@config
class MaskedConfig(NetworkConfig):
    """Masked diffusion of labels, the control.

    Raises:
        InputError: A value is out of its range, or `heads` does not divide `dim`.

    >>> import graphs
    >>> sampling = graphs.SamplingConfig(calls=64)
    >>> graphs.GraphsConfig(model=graphs.MaskedConfig(), sampling=sampling).sampling.calls
    64
    """

    kind: Literal["masked"] = "masked"
    """`contraction` and `expansion` are the other kinds; their options follow `--model.kind`."""
    bounded: bool = True
    """Whether labels are drawn again that give a node more edges, or of higher order, than any
    node of its label had in training."""

    def check_sampling(self, sampling: SamplingConfig) -> None:
        """Refuse settings that masked diffusion does not know."""
        check_known("masked", sampling, ("temperature", "calls", "particles"))
