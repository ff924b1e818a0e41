"""Methods that train another network: students of fewer calls, and what they are made of."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.methods.students.adapter import adapt as adapt
    from refine_core.methods.students.adapter import merge as merge
    from refine_core.methods.students.distillation import Distillation as Distillation
    from refine_core.methods.students.distillation import start_from_teacher as start_from_teacher
    from refine_core.methods.students.jump import GridJump as GridJump
    from refine_core.methods.students.merging import MergedTokenizer as MergedTokenizer
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
