"""A measured replication of section 4 of the paper: Tables 1 to 4, their floors, and sweeps."""

from images.experiments.ablation import ablate
from images.experiments.settings import AblationConfig

__all__ = ["AblationConfig", "ablate"]
