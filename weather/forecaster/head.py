"""What every head has in common: it samples the residual about the mean."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.sampling.intermediates import AfterScale
from weather.forecaster.inputs import HeadContext


class ResidualHead(nn.Module, ABC):
    """Samples residuals; called with residuals, it returns its training losses."""

    @property
    @abstractmethod
    def calls(self) -> int:
        """Network calls that a sample takes."""

    @abstractmethod
    def sample(self, context: HeadContext, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""

    def sample_scales(
        self, context: HeadContext, noise: Noise, after_scale: AfterScale[Tensor]
    ) -> Tensor:
        """The same residuals; `after_scale` is called with what they are after each scale.

        Raises:
            InputError: The head has no scales.
        """
        raise InputError(
            f"Found `after_scale` for a {type(self).__name__}, which has no scales: leave it out, "
            "or take a model that refines."
        )

    @abstractmethod
    def forward(self, residual: Tensor, context: HeadContext, noise: Noise) -> dict[str, Tensor]:
        """Training losses for residuals (b, C, H, W)."""

    def after_step(self) -> None:
        """Called after each step of the optimiser; does nothing by default."""
