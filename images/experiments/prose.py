"""Sentences of the report; each is there only if the numbers say so."""

import math
from collections import Counter
from statistics import fmean

from images.experiments.conditions import CLAIMS
from images.experiments.evidence import PRINTED, Evidence
from images.experiments.paper import MSE
from images.experiments.tables import BELOW
from images.experiments.verdict import DEFINED, UNPRINTED


def summary(evidence: Evidence) -> list[str]:
    """Verdicts counted, and each claim in the paper's own setting."""
    verdicts = [cell.verdict.removesuffix(BELOW) for cell in evidence.cells]
    counts = Counter(verdict for verdict in verdicts if verdict not in (UNPRINTED, DEFINED))
    listed = ", ".join(f"{count} × {verdict}" for verdict, count in counts.most_common())
    lines = [f"Of {counts.total()} comparisons with a printed figure: {listed}."]
    pairs = (("latent", "pixel"), ("softmax", "latent"), ("bands 2", "pixel"))
    for claim, (challenger, base) in zip(CLAIMS, pairs, strict=True):
        ours, other = evidence.mean(challenger, "mse"), evidence.mean(base, "mse")
        held = "holds" if ours < other else "does not hold"
        judged = [o for o in evidence.outcomes if o.claim == claim.text and o.quantity is MSE]
        won = sum(outcome.better == 1 for outcome in judged)
        swept = f" In the sweeps it holds in {won} of {len(judged)} comparisons." if judged else ""
        lines.append(
            f"*{claim.text}*: {held} with these settings "
            f"(test MSE {ours:.4f} against {other:.4f}).{swept}"
        )
    return lines


def explanations(evidence: Evidence) -> list[str]:
    """Why figures differ from the printed ones, as far as the floors tell."""
    floors, mean = evidence.floors, evidence.mean
    pixel, latent = mean("pixel", "mse"), mean("latent", "mse")
    autoencoder, code = mean("latent", "floor"), mean("softmax", "floor")
    lines = []
    least = min(PRINTED["Pixel-MLP"]["mse"], PRINTED["Latent-MLP"]["mse"])
    if floors["wiener"] < least:
        lines.append(
            f"**The printed errors are far above what needs no training.** A closed-form Wiener "
            f"filter gets {floors['wiener']:.4f}, less than every error printed in Tables 1 to 4; "
            f"our Pixel-MLP gets {pixel:.4f}."
        )
    lines += _cut_short(evidence)
    if autoencoder > pixel:
        lines.append(
            f"**The latent predictor cannot win at this noise.** The autoencoder alone, on clean "
            f"images, costs {autoencoder:.4f}; the pixel predictor is already at {pixel:.4f}. "
            f"The latent one gets {latent:.4f}, with "
            f"{mean('pixel', 'parameters') / mean('latent', 'parameters'):.0f} times fewer "
            f"parameters and {mean('pixel', 'cpu_seconds') / mean('latent', 'cpu_seconds'):.1f} "
            "times less time."
        )
    printed = PRINTED["Softmax-64"]["mse"]
    images = {int(k.split("_")[1]): v for k, v in floors.items() if k.startswith("images_")}
    if code > printed:
        known = " and ".join(f"{value:.4f} with {count}" for count, value in images.items())
        lines.append(
            "**The printed error of Softmax-64 is out of reach of one code per image.** Naming "
            f"the nearest of {min(images)} centroids to the *clean* latent costs {code:.4f}, "
            f"{code / printed:.1f} times the printed {printed:.4f}. The latent space is not to "
            "blame: whatever the decoder, choosing among a fixed set of images, even one placed "
            f"by k-means on the pixels, costs about {known} images."
        )
    lines += _products(evidence, printed)
    bands = mean("bands 2", "mse")
    if bands > pixel:
        share = evidence.band_error("pixel") / pixel
        lines.append(
            "**Splitting by frequency costs more than it saves.** At matched parameters coarse "
            f"to fine gets {bands:.4f} against {pixel:.4f}, three bands "
            f"{mean('bands 3', 'mse'):.4f}. The highest band, where {share:.0%} of the single "
            "shot's error lies, is now predicted by a narrower perceptron."
        )
    return [*lines, _gradients(evidence)]


def _cut_short(evidence: Evidence) -> list[str]:
    """When the Pixel-MLP passes its printed error, and where the Latent-MLP is then."""
    if not evidence.course:
        return []
    pixel, latent = (_mean_course(evidence, name) for name in ("pixel", "latent"))
    printed, other = PRINTED["Pixel-MLP"]["mse"], PRINTED["Latent-MLP"]["mse"]
    step = next((step for step, mse in pixel.items() if mse <= printed), None)
    if step is None or abs(latent[step] - other) > 0.25 * other:
        return []
    epoch = evidence.results["pixel"][0]["history"][0]["step"]
    last = max(pixel)
    return [
        "**The printed Table 1 looks like a training cut short.** Our Pixel-MLP passes the "
        f"printed {printed:.4f} by update {step}, when an epoch of Table 1 has {epoch}; at that "
        f"moment the Latent-MLP is ahead with {latent[step]:.4f}, and {other:.4f} is printed. By "
        f"update {last} they are at {pixel[last]:.4f} and {latent[last]:.4f}."
    ]


def _mean_course(evidence: Evidence, name: str) -> dict[int, float]:
    """Test error by update, mean over seeds."""
    histories = [run["history"] for run in evidence.course[name]]
    return {
        rows[0]["step"]: fmean(r["mse"] for r in rows) for rows in zip(*histories, strict=True)
    }


def _products(evidence: Evidence, printed: float) -> list[str]:
    """Which product code comes nearest to the printed error."""
    found = [o for o in evidence.outcomes if o.sweep == "groups" and o.quantity.key == "mse"]
    if not found:
        return []
    best = min(found, key=lambda o: abs(o.ours.mean - printed))
    averaged = next(
        o
        for o in evidence.outcomes
        if o.sweep == "groups" and o.quantity.key == "mse_mean" and o.value == best.value
    )
    return [
        f"**A product of codebooks comes nearest.** {best.value:g} groups of codes get "
        f"{best.ours.mean:.4f} decoded by the likeliest codes and {averaged.ours.mean:.4f} by "
        "their posterior mean, in the shorter runs of the sweep; regression gets "
        f"{best.base.mean:.4f} there."
    ]


def _gradients(evidence: Evidence) -> str:
    names = {"regression": "latent", "Softmax-64": "softmax", "Bitwise-8": "book"}
    settled = ", ".join(
        f"{label} {evidence.mean(name, 'grad_cv_settled'):.3f}" for label, name in names.items()
    )
    drop = evidence.mean("latent", "grad_var") / evidence.mean("latent", "grad_var_settled")
    return (
        "**A variance of gradient norms compares nothing across losses.** It grows with the "
        "square of the loss's scale, and the scale of an autoencoder's latents is arbitrary. And "
        f"it is mostly the first steps: for regression the second half of training has {drop:.0f} "
        f"times less of it. Relative to the mean norm, that half has: {settled}."
    )


def consistency(evidence: Evidence) -> list[str]:
    """Where printed figures contradict one another."""
    lines = []
    for label, name in (("Pixel-MLP", "pixel"), ("Latent-MLP", "latent")):
        mse, psnr = PRINTED[label]["mse"], PRINTED[label]["psnr"]
        implied = -10 * math.log10(mse)
        gap = evidence.mean(name, "psnr_images") - evidence.mean(name, "psnr")
        lines.append(
            f"{label}: an MSE of {mse:.4f} is a PSNR of {implied:.1f} dB; printed is {psnr:.1f}, "
            f"{psnr - implied:.1f} dB more. Averaging the PSNR of single images instead adds "
            f"{gap:.1f} dB in our runs, which "
            + ("explains it." if psnr - implied <= gap + 0.1 else "does not explain it.")
        )
    pixel, single = PRINTED["Pixel-MLP"], PRINTED["Single shot"]
    band = 10 ** (-single["hf_psnr"] / 10)
    ours = evidence.band_error("pixel") / evidence.mean("pixel", "mse")
    return [
        *lines,
        "The Latent-MLP of Table 1 and the regression head of Table 2 are the same experiment, "
        f"printed as {PRINTED['Latent-MLP']['mse']:.4f} and {PRINTED['Regression']['mse']:.4f}.",
        "The Pixel-MLP of Table 1 and the single shot of Table 3 are the same experiment, printed "
        f"as {pixel['mse']:.4f} with {pixel['epochs']:.0f} epochs to the target and "
        f"{single['mse']:.4f} with {single['epochs']:.0f}.",
        f"A single-shot HF-PSNR of {single['hf_psnr']:.1f} dB is an error of {band:.4f} in the "
        f"high band alone, {band / single['mse']:.0%} of the printed total; the largest possible "
        f"share is {evidence.floors['high_band_gain']:.0%}, ours is {ours:.0%}.",
    ]
