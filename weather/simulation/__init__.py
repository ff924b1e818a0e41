"""Training data simulated by a general circulation model; the only room that imports JAX."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.simulation.kept_states import KeptStates as KeptStates
    from weather.simulation.pressure_levels import Columns as Columns
    from weather.simulation.run import Atmosphere as Atmosphere
    from weather.simulation.run import SimulationSettings as SimulationSettings
    from weather.simulation.run import simulate as simulate
    from weather.simulation.simulation_store import SimulationStore as SimulationStore
    from weather.simulation.speedy import Speedy as Speedy
    from weather.simulation.truth_ensemble import EnsembleSettings as EnsembleSettings
    from weather.simulation.truth_ensemble import SimulatedStore as SimulatedStore
    from weather.simulation.truth_ensemble import simulate_ensemble as simulate_ensemble
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
