"""Files that appear whole, checkpoints, trained models, and data sets from the package index."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.storage.archive import Archive as Archive
    from refine_core.storage.checkpoint import Checkpoint as Checkpoint
    from refine_core.storage.checkpoint import load_into as load_into
    from refine_core.storage.checkpoint import load_matching as load_matching
    from refine_core.storage.files import atomic_write as atomic_write
    from refine_core.storage.files import digest as digest
    from refine_core.storage.files import sha256 as sha256
    from refine_core.storage.files import write_json as write_json
    from refine_core.storage.files import write_text as write_text
    from refine_core.storage.pretrained import Pretrained as Pretrained
    from refine_core.storage.pretrained import Saved as Saved
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
