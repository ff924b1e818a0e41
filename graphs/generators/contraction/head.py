"""The head of contractions: what a graph consists of, how it comes apart, and where bonds end."""

import torch
from torch import Tensor, nn

from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.attachment.head import AttachmentHead
from graphs.generators.contraction.counts.head import CountHead
from graphs.generators.contraction.split.head import SplitHead
from graphs.generators.contraction.state.partition import Partition
from refine_core.heads.distribution import Distribution


class ContractionHead(nn.Module):
    """Hidden states to the law of the first code, of splits, or of the last code.

    Args:
        counts: For graphs of which nothing is known.
        split: For graphs that come apart.
        attachment: For graphs that have come apart into fragments; None where nodes are atoms.
    """

    def __init__(
        self, counts: CountHead, split: SplitHead, attachment: AttachmentHead | None = None
    ) -> None:
        super().__init__()
        self.counts, self.split, self.attachment = counts, split, attachment

    @property
    def valence_limits(self) -> ValenceLimits | None:
        """Codes that exceed them are drawn again; None allows all."""
        return self.split.valence_limits

    def forward(
        self, hidden: Tensor, state: Partition, k: int, valid: Tensor | None = None
    ) -> Distribution:
        """Law of the next code of a state."""
        if not state.started:
            return self.counts(hidden, state)  # type: ignore[no-any-return]
        m = state.valid.shape[1]
        if state.attaching:
            assert self.attachment is not None
            return self.attachment(hidden[:, :m], state)  # type: ignore[no-any-return]
        if self.split.label is not None:
            hidden = torch.cat([hidden, state.between(hidden)], 1)
        return self.split(hidden, state)  # type: ignore[no-any-return]
