"""Published bits per dimension of grey-scale MNIST, to hold one's own beside."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One published number.

    Args:
        model: Name of the model.
        bits: Bits per dimension of the test set, 256 grey levels under uniform dequantisation.
        source: Where it was first given, by arXiv number.
    """

    model: str
    bits: float
    source: str


MNIST_BITS = (
    Published("Real NVP", 1.06, "Dinh et al., 2017, 1605.08803; by FFJORD, 1810.01367"),
    Published("Glow", 1.05, "Kingma and Dhariwal, 2018, 1807.03039; by FFJORD, 1810.01367"),
    Published("FFJORD", 0.99, "Grathwohl et al., 2019, 1810.01367"),
    Published("i-ResNet", 1.05, "Behrmann et al., 2019, 1811.00995"),
    Published("Residual Flow", 0.97, "Chen et al., 2019, 1906.02735"),
)
"""Flows without the class, on the official split.

All are exact densities of dequantised images, which bound the bits of the images themselves.
Glow's code pads images with zeros to 32 x 32, and divides by 32^2. Knowing the class is worth
log2(10) / 784 = 0.004 bits per dimension at most.
"""
