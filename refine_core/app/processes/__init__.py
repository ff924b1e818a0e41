"""A function over many inputs, shared by own processes, torchrun's or a dask cluster; memory."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.app.processes.cluster import on_cluster as on_cluster
    from refine_core.app.processes.cluster import using_cluster as using_cluster
    from refine_core.app.processes.memory import check_memory as check_memory
    from refine_core.app.processes.ranks import trains as trains
    from refine_core.app.processes.workers import Workers as Workers
    from refine_core.app.processes.workers import map_in_workers as map_in_workers
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
