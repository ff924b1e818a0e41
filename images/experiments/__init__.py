"""A measured replication of section 4 of the paper: Tables 1 to 4, error floors, and sweeps."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.experiments.ablation import ablate as ablate
    from images.experiments.config import AblationConfig as AblationConfig
    from images.experiments.config import Setup as Setup
    from images.experiments.config import Sweeps as Sweeps
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
