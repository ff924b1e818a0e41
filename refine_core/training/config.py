"""How a model is trained, as a config."""

from typing import Literal

from refine_core.config.ranges import (
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Share,
    ShareBelowOne,
)
from refine_core.config.schema import config
from refine_core.device import Precision


@config
class Optimisation:
    """How a model is trained.

    Raises:
        InputError: A value is out of its range.

    >>> import refine_core as rc
    >>> opt = rc.Optimisation(epochs=5, batch=32, precision="bf16-mixed")
    >>> opt.epochs, opt.learning_rate
    (5, 0.001)
    >>> rc.Optimisation(epochs=0)
    Traceback (most recent call last):
    ...
    refine_core.errors.InputError: Optimisation: epochs: found 0, expected a whole number above 0
    """

    epochs: PositiveInt = 20
    """Passes over the training set."""
    batch: PositiveInt = 128
    """Samples a step, over all processes."""
    accumulate: PositiveInt = 1
    """Parts of a batch whose gradients are computed one after the other, to save memory."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """muon: the matrices of transformer blocks take orthogonal steps, all else those of AdamW."""
    learning_rate: NonNegativeFloat = 1e-3
    """Peak learning rate."""
    final_rate: Share = 0.01
    """Learning rate at the end as a share of the peak (cosine decay; 1 keeps it constant)."""
    warmup: Share = 0.02
    """Share of all steps in which the learning rate rises from zero."""
    weight_decay: NonNegativeFloat = 1e-4
    """Decoupled weight decay, on matrices only if `decay_vectors` is off."""
    decay_vectors: bool = False
    """Whether biases, gains and other vectors decay too."""
    beta1: ShareBelowOne = 0.9
    """AdamW's momentum."""
    beta2: ShareBelowOne = 0.99
    """AdamW's second moment decay."""
    clip: PositiveFloat | None = 1.0
    """Largest gradient norm; null does not clip."""
    ema: ShareBelowOne | None = 0.999
    """Decay of the average of the weights that is validated and kept; null keeps the last."""
    precision: Precision | Literal["auto"] = "32-true"
    """bf16-mixed pays where bfloat16 is multiplied natively; auto is that there, else 32-true.
    So a seed's result depends on the machine; run.json says which it was, and a run that goes on
    keeps it."""
    fsdp: bool = False
    """Whether the processes of torchrun share weights, gradients, moments and the average of the
    weights (FSDP2), so that each holds its part of them; one process trains as without."""
    compile: bool = False
    """Whether the module goes through torch.compile."""
    save_minutes: NonNegativeFloat = 2.0
    """Time between checkpoints; one is also written at the end of each epoch and on Ctrl-C."""
