"""Tables 1 to 4 of the paper as printed, and the predictor that stands for each row."""

from dataclasses import dataclass, field

Figure = tuple[float, float | None]
"""Mean and standard deviation over three seeds, where printed."""


@dataclass(frozen=True)
class Quantity:
    """One column of a table.

    Args:
        key: Name in `Result.values`; "time" is the CPU-time per epoch relative to the first row.
        label: Heading, with the unit.
        digits: Decimals printed.
        lower: Whether lower is better.
        scale: Printed value over stored value.
    """

    key: str
    label: str
    digits: int = 4
    lower: bool = True
    scale: float = 1


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Args:
        label: As printed; brackets tell apart several readings of one printed row.
        predictor: Its name in the design.
        printed: Figures by key of the quantity, in the paper's units.
    """

    label: str
    predictor: str
    printed: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table of the paper; the other rows are compared with the first."""

    number: int
    title: str
    quantities: tuple[Quantity, ...]
    rows: tuple[Row, ...]


MSE = Quantity("mse", "test MSE")
MEAN = Quantity("mse_mean", "test MSE, posterior mean")
PSNR = Quantity("psnr", "PSNR of the mean MSE, dB", 1, lower=False)
PSNR_IMAGES = Quantity("psnr_images", "mean PSNR of images, dB", 1, lower=False)
EPOCHS = Quantity("epochs", "epochs to target", 1)
SHIFTED = Quantity("mse_shifted", "test MSE, shifted noise")
VARIANCE = Quantity("grad_var", "gradient norm, variance × 10³", 2, scale=1e3)
VARIATION = Quantity("grad_cv", "gradient norm, coefficient of variation", 3)
SETTLED_VARIANCE = Quantity(
    "grad_var_settled", "gradient norm, variance × 10³, second half of training", 3, scale=1e3
)
SETTLED_VARIATION = Quantity(
    "grad_cv_settled", "gradient norm, coefficient of variation, second half of training", 3
)
TIME = Quantity("time", "time per epoch, relative", 2)
HIGH = Quantity("hf_psnr", "HF-PSNR, dB", 1, lower=False)

_BITWISE: dict[str, Figure] = {
    "mse": (0.0185, 0.0003),
    "grad_var": (1.1, 0.1),
    "time": (0.92, None),
}

TABLES = (
    Table(
        1,
        "Setup A: pixel against latent denoising",
        (MSE, PSNR, PSNR_IMAGES, EPOCHS, SHIFTED),
        (
            Row(
                "Pixel-MLP",
                "pixel",
                {
                    "mse": (0.0195, 0.0003),
                    "psnr": (17.6, 0.1),
                    "psnr_images": (17.6, 0.1),
                    "epochs": (14, 1),
                    "mse_shifted": (0.0280, 0.0010),
                },
            ),
            Row(
                "Latent-MLP",
                "latent",
                {
                    "mse": (0.0158, 0.0002),
                    "psnr": (18.9, 0.1),
                    "psnr_images": (18.9, 0.1),
                    "epochs": (9, 1),
                    "mse_shifted": (0.0221, 0.0010),
                },
            ),
        ),
    ),
    Table(
        2,
        "Setup B: discrete classification against continuous regression",
        (MSE, MEAN, VARIANCE, SETTLED_VARIANCE, VARIATION, SETTLED_VARIATION, TIME),
        (
            Row(
                "Regression",
                "latent",
                {"mse": (0.0204, 0.0004), "grad_var": (2.4, 0.2), "time": (1.0, None)},
            ),
            Row(
                "Softmax-64",
                "softmax",
                {"mse": (0.0181, 0.0003), "grad_var": (1.5, 0.1), "time": (1.02, None)},
            ),
            Row("Bitwise-8 (words for the same book)", "book", _BITWISE),
            Row("Bitwise-8 (planes of PCA)", "planes", _BITWISE),
            Row("Bitwise-8 (learned signs)", "signs", _BITWISE),
        ),
    ),
    Table(
        3,
        "Setup C: coarse to fine against single shot",
        (MSE, EPOCHS, HIGH),
        (
            Row(
                "Single shot",
                "pixel",
                {"mse": (0.0193, 0.0003), "epochs": (12, 1), "hf_psnr": (16.8, 0.2)},
            ),
            Row(
                "Coarse to fine",
                "bands 2",
                {"mse": (0.0164, 0.0002), "epochs": (7, 1), "hf_psnr": (18.2, 0.2)},
            ),
        ),
    ),
    Table(
        4,
        "Setup C: number of bands S at matched parameters",
        (MSE, TIME),
        (
            Row("S = 1", "pixel", {"mse": (0.0193, None), "time": (1.0, None)}),
            Row("S = 2", "bands 2", {"mse": (0.0164, None), "time": (1.15, None)}),
            Row("S = 3", "bands 3", {"mse": (0.0162, None), "time": (1.22, None)}),
        ),
    ),
)

PRINTED = {
    row.label: {key: figure[0] for key, figure in row.printed.items()}
    for table in TABLES
    for row in table.rows
}
"""Printed means by label of the row and key of the quantity."""
