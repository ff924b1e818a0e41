"""The graph of clusters that splits refine, and how a code divides it."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.generators.contraction.state.division import divide as divide
    from graphs.generators.contraction.state.partition import Partition as Partition
    from graphs.generators.contraction.state.valence import slack as slack
    from graphs.generators.contraction.state.valence import violated as violated
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
