"""Sampling: settings of a scale, the calls of the network, and samples on the way."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.sampling.branch import Branch as Branch
    from refine_core.sampling.caller import Call as Call
    from refine_core.sampling.caller import Caller as Caller
    from refine_core.sampling.caller import Chooser as Chooser
    from refine_core.sampling.caller import Wrapped as Wrapped
    from refine_core.sampling.intermediates import AfterScale as AfterScale
    from refine_core.sampling.intermediates import Intermediate as Intermediate
    from refine_core.sampling.intermediates import Intermediates as Intermediates
    from refine_core.sampling.intermediates import through as through
    from refine_core.sampling.rows import mapped as mapped
    from refine_core.sampling.rows import rows_of as rows_of
    from refine_core.sampling.settings import Keep as Keep
    from refine_core.sampling.settings import Sampling as Sampling
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
