"""What training asks of a data set."""

from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from refine_core.storage.files import digest

BatchT = TypeVar("BatchT")
BatchT_co = TypeVar("BatchT_co", covariant=True)
Batch = tuple[Tensor, ...]
"""Tensors of one length."""


class Data(Protocol[BatchT_co]):
    """A data set that hands out batches by sample index.

    A batch is a tuple of tensors, or of what moves between devices as they do (`.to`), of one
    length.
    """

    def __len__(self) -> int:
        """Count of samples."""
        ...

    def __getitem__(self, index: Tensor) -> BatchT_co:
        """Batch of the samples at `index` (b,) int64."""
        ...


class Tensors:
    """`Data` held in memory as tensors of one length.

    Args:
        tensors: (n, ...) each; a batch is a tuple of their rows.

    >>> import torch
    >>> import refine_core as rc
    >>> data = rc.Tensors(torch.zeros(100, 3, 8, 8), torch.arange(100))
    >>> images, labels = data[torch.tensor([4, 1])]
    >>> len(data), images.shape, labels.tolist()
    (100, torch.Size([2, 3, 8, 8]), [4, 1])
    """

    def __init__(self, *tensors: Tensor) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        """Count of samples."""
        return len(self.tensors[0])

    def __getitem__(self, index: Tensor) -> Batch:
        """Rows `index` of every tensor."""
        return tuple(tensor[index] for tensor in self.tensors)

    def digest(self) -> str:
        """Sixteen digits that tell these tensors from others."""
        parts: list[str | NDArray[np.generic]] = []
        for tensor in self.tensors:
            parts += [repr((tensor.shape, tensor.dtype)), tensor.detach().cpu().numpy()]
        return digest(*parts)


class Subset(Generic[BatchT]):
    """Some samples of `Data`, at equal distances.

    Args:
        data: All samples.
        count: How many of them, at most all.
    """

    def __init__(self, data: Data[BatchT], count: int) -> None:
        self.data, self.count = data, min(count, len(data))

    def __len__(self) -> int:
        """Count of samples."""
        return self.count

    def __getitem__(self, index: Tensor) -> BatchT:
        """Batch of the samples at `index` (b,) int64 among these."""
        return self.data[index * len(self.data) // self.count]
