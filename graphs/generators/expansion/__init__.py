"""Local expansion of plain graphs: clusters split, and assign their edges one by one."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.generators.expansion.config import ExpansionConfig as ExpansionConfig
    from graphs.generators.expansion.kind import Expansion as Expansion
    from graphs.generators.expansion.refiner import ExpansionRefiner as ExpansionRefiner
    from graphs.generators.expansion.state import CoarseGraph as CoarseGraph
    from graphs.generators.expansion.tokenizer import ExpansionTokenizer as ExpansionTokenizer
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
