"""Labelled images, read from IDX files, .npz archives and folders of pictures; MNIST by name."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.data.load import Images as Images
    from images.data.load import LabelledImages as LabelledImages
    from images.data.load import mnist as mnist
    from images.data.load import read_images as read_images
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
