"""How the arms of a study are matched and tuned: two tables of its report."""

import math
from collections.abc import Sequence
from statistics import fmean, median
from typing import cast

from images.study.findings.results import Findings, Json
from refine_core.app.report import Column, table


def matching(findings: Findings) -> str:
    """Tokens, steps, parameters and time of the training of every arm."""
    config, rows = findings.config, []
    for arm in findings:
        trained = list(arm.part("train").values())
        steps = config.budget.steps(arm.tokens)
        seen = steps * arm.tokens * config.budget.batch
        seconds = [_step_seconds(part) for part in trained]
        own = [findings.tokenizers.get(str(row["tokenizer"])) for row in arm.seeds.values()]
        tokenizer = [cast(float, row["seconds"]) for row in own if row is not None]
        gradient = list(arm.gradients().values())
        rows.append(
            [
                arm.label,
                arm.tokens,
                steps,
                seen / config.budget.tokens,
                arm.parameters / config.backbone.parameters - 1,
                median(seconds) * steps / 60 if seconds else None,
                fmean(tokenizer) / 60 if tokenizer else None,
                ", ".join(f"{part['learning_rate']:g}" for part in trained[:1]) or None,
                fmean(gradient) if gradient else None,
            ]
        )
    columns: list[Column | str] = [
        "arm",
        "tokens a sample",
        "steps",
        Column("of the budget", form=".1%"),
        Column("parameters", form="+.1%"),
        Column("training, CPU-minutes", form=".1f"),
        Column("its tokeniser's, CPU-minutes", form=".1f"),
        "learning rate",
        Column("variation of the gradient's norm", form=".3f"),
    ]
    text = (
        "Compute is tokens of the transformer times steps. Processor times differ with the width "
        "of what an arm predicts; tokenisers come on top, and serve several arms. The variation "
        "is the standard deviation of the gradient's norm over its mean, in the last half of the "
        "training."
    )
    return f"{text}\n\n{table(columns, rows, missing='–')}"


def _step_seconds(part: Json) -> float:
    rows = cast(list[Json], part["curve"])
    return median(cast(float, row["seconds_per_step"] or math.nan) for row in rows)


def tuning(findings: Findings) -> str:
    """Losses of the trials of learning rates, and the weights of guidance that were chosen."""
    tried = sorted(
        {cast(float, trial["learning_rate"]) for arm in findings for trial in arm.trials}
    )
    rates = [f"{rate:g}" for rate in tried]
    config, rows, outermost = findings.config, [], []
    for arm in findings:
        row: dict[str, object] = {"arm": arm.label}
        if _is_outermost(arm.trials):
            outermost.append(arm.label)
        for trial in arm.trials:
            found = trial["held_loss"]
            row[f"{trial['learning_rate']:g}"] = "diverged" if found is None else f"{found:.3g}"
        weights = (f"{group} {weight:g}".strip() for group, weight in arm.weights.items())
        row["guidance chosen"] = "; ".join(weights) or None
        rows.append(row)
    text = (
        "Loss of held-out images by learning rate, at "
        f"{config.tuning.share:.3g} of the budget and with the first seed, each arm's own, of "
        "which the smallest was chosen; then the weights of guidance that were chosen with that "
        f"seed, by the Frechet distance of {config.tuning.samples:,} samples to held-out images: "
        "for each sampler and count of calls, of which those of more than "
        f"{config.measurement.many} share one (by the fewest)."
    )
    if outermost:
        text += f" The best rate may lie beyond those tried for {', '.join(outermost)}."
    return f"{text}\n\n{table(['arm', *rates, 'guidance chosen'], rows, missing='–')}"


def _is_outermost(trials: Sequence[Json]) -> bool:
    """Whether the smallest loss is at the smallest or the largest of several rates."""
    by_rate = sorted(trials, key=lambda each: cast(float, each["learning_rate"]))
    found = [cast(float | None, trial["held_loss"]) for trial in by_rate]
    losses = [math.inf if loss is None else loss for loss in found]
    return len(losses) > 1 and min(losses) in (losses[0], losses[-1])
