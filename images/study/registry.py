"""The arms by name: in which space each generates, by which law, in how many scales."""

from dataclasses import dataclass
from typing import Literal

SIZES = {
    1: (7,),
    2: (3, 7),
    3: (1, 3, 7),
    4: (1, 2, 4, 7),
    5: (1, 2, 3, 5, 7),
    6: (1, 2, 3, 4, 5, 7),
}
"""Sides of the grids of S scales, coarse to fine."""


Space = Literal["pixels", "latents"]
Law = Literal["codes", "gaussian", "mixture", "flow"]
Draws = Literal["independent", "sequential"]


@dataclass(frozen=True)
class StudyArm:
    """One cell of the design.

    Args:
        label: What figures and tables call it.
        family: What it is: refinement over scales (or, of one scale, its limit), or diffusion.
        space: What it generates: pixels, or the latents of an autoencoder.
        law: The law of a cell's values: codes of a quantiser, one Gaussian or a mixture for each
            cell, a flow from noise by a small network behind the transformer, or "free", which
            iteration of the transformer makes of noise.
        method: How samples come about.
        scales: Count of scales.
        parts: Calls in which a scale is predicted, each for a part of its cells: one count for
            all scales, or one each.
        draws: Whether codes of a call are drawn independently, or one after the other by a small
            network (`DepthHead`).
        version: Part of the key of its results: raised when its code changes them.
    """

    label: str
    family: Literal["refinement", "diffusion"]
    space: Space
    law: Law | Literal["free"]
    method: Literal["scales", "parts", "absorbing", "diffusion", "flow"]
    scales: int = 4
    parts: tuple[int, ...] = (1,)
    draws: Draws = "independent"
    version: int = 1

    @property
    def once(self) -> bool:
        """Whether sampling computes each token in one call only; others iterate over all."""
        return self.method in ("scales", "parts")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the grids, coarse to fine."""
        return SIZES[self.scales]


def _scales(space: Space, law: Law, count: int = 4) -> StudyArm:
    """Next-scale refinement."""
    name = {"gaussian": "Gaussian", "flow": "flow head"}.get(law, law)
    label = f"{space.removesuffix('s')} {name}, S = {count}"
    version = 1 if space == "pixels" and law != "codes" else 2
    return StudyArm(label, "refinement", space, law, "scales", count, version=version)


def _sequential(label: str, *parts: int) -> StudyArm:
    """Next-scale refinement whose draws within a call know each other."""
    return StudyArm(
        label,
        *("refinement", "latents", "codes", "scales", 4, parts or (1,), "sequential"),
        version=2,
    )


ARMS = {
    "pixel-codes": _scales("pixels", "codes"),
    "pixel-gaussian": _scales("pixels", "gaussian"),
    "pixel-mixture": _scales("pixels", "mixture"),
    "latent-codes": _scales("latents", "codes"),
    "latent-gaussian": _scales("latents", "gaussian"),
    "latent-mixture": _scales("latents", "mixture"),
    "latent-flow-scales": _scales("latents", "flow"),
    **{f"latent-codes-{n}": _scales("latents", "codes", n) for n in SIZES if n != 4},
    "latent-mixture-1": _scales("latents", "mixture", 1),
    "pixel-codes-1": _scales("pixels", "codes", 1),
    "pixel-mixture-1": _scales("pixels", "mixture", 1),
    "latent-codes-parts": StudyArm(
        "latent codes in parts", "refinement", "latents", "codes", "parts", 1, (4,), version=3
    ),
    "latent-codes-sequential": _sequential("latent codes in sequence, S = 4"),
    "latent-codes-sequential-10": _sequential(
        "latent codes in sequence, S = 4, parts", 1, 2, 3, 4
    ),
    "pixel-diffusion": StudyArm(
        "pixel diffusion", "diffusion", "pixels", "free", "diffusion", 1, version=2
    ),
    "latent-diffusion": StudyArm(
        "latent diffusion", "diffusion", "latents", "free", "diffusion", 1, version=2
    ),
    "absorbing": StudyArm(
        "absorbing diffusion", "diffusion", "latents", "codes", "absorbing", 1, version=2
    ),
    "pixel-flow": StudyArm("pixel flow", "diffusion", "pixels", "free", "flow", 1),
    "latent-flow": StudyArm("latent flow", "diffusion", "latents", "free", "flow", 1, version=2),
}
"""Every arm."""

STANDARD = tuple(ARMS)
"""Arms of a study that names none."""
