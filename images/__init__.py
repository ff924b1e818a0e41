"""Images generated coarse to fine: training, sampling and editing, up to MNIST end to end."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.config import DistillationConfig as DistillationConfig
    from images.config import GeneratorConfig as GeneratorConfig
    from images.config import ImagesConfig as ImagesConfig
    from images.config import SamplingConfig as SamplingConfig
    from images.config import TokenizerConfig as TokenizerConfig
    from images.data.load import Images as Images
    from images.data.load import LabelledImages as LabelledImages
    from images.data.load import mnist as mnist
    from images.data.load import read_images as read_images
    from images.distillation import distil as distil
    from images.model import ImageModel as ImageModel
    from images.model import load as load
    from images.training import train as train
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
