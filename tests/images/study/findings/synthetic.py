"""Results of a study as JSON, made of given distances."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from images.study.config import StudyConfig, Tuning
from images.study.registry import ARMS
from refine_core.config.schema import to_dict

Distances = Mapping[str, Mapping[int, float]]
"""Frechet distances by arm and calls."""
SHEET = {"shape": [20, 28, 28], "grey": base64.b64encode(zlib.compress(bytes(15680))).decode()}
REAL = {"frechet": 0.1, "precision": 0.93, "recall": 0.92, "accuracy": 0.997, "energy": 1.0}


def plain(
    distances: Distances,
    *,
    spread: float = 0.02,
    seeds: Sequence[int] = (0, 1, 2),
    bits: Mapping[str, float] | None = None,
) -> dict[str, object]:
    """The content of `study.json`.

    Args:
        distances: What each arm reaches.
        spread: How seeds differ: the n-th has 1 + (n - 1) * spread times the distance.
        seeds: The seeds.
        bits: Bits per dimension by arm.
    """
    config = StudyConfig(
        arms=tuple(distances),
        refiner=next(iter(distances)),
        seeds=tuple(seeds),
        tuning=Tuning(learning_rates=(1e-3, 2e-3)),
    )
    return {
        "config": to_dict(config),
        "training_images": 55_000,
        "real": REAL | {"sheet": SHEET},
        "tokenizers": [
            {"key": f"tokens-s{seed}", "seconds": 60.0, "frechet": 0.13, "unquantised": 0.12}
            for seed in seeds
        ],
        "arms": {
            name: _arm(name, by_calls, spread, seeds, (bits or {}).get(name))
            for name, by_calls in distances.items()
        },
        "timing": {
            "rows": [
                {"arm": name, "calls": calls, "sampler": "", "guided": guided, "ms": ms}
                for name, by_calls in distances.items()
                for calls in by_calls
                for guided, ms in ((False, 0.2 * calls), (True, 0.4 * calls))
            ]
        },
        "missing": [],
    }


def _arm(
    name: str,
    by_calls: Mapping[int, float],
    spread: float,
    seeds: Sequence[int],
    bits: float | None,
) -> dict[str, object]:
    factors = [1 + (place - 1) * spread for place in range(len(seeds))]
    own = "tokens-s{}" if ARMS[name].space == "latents" else None
    return {
        "about": asdict(replace(ARMS[name])),
        "tokens": 49,
        "parameters": 1_300_000,
        "trials": [{"learning_rate": rate, "held_loss": rate * 1e3} for rate in (1e-3, 2e-3)],
        "guidance": {"groups": {"": {"guidance": 0.5, "calls": max(by_calls)}}},
        "seeds": {
            str(seed): _seed(by_calls, factor, bits, own and own.format(seed))
            for seed, factor in zip(seeds, factors, strict=True)
        },
    }


def _seed(
    by_calls: Mapping[int, float], factor: float, bits: float | None, tokenizer: str | None
) -> dict[str, object]:
    most = max(by_calls)
    scores = {"precision": 0.9, "recall": 0.8 - 0.01 * factor, "accuracy": 0.98}
    return {
        "tokenizer": tokenizer,
        "train": {
            "learning_rate": 1e-3,
            "curve": [_row(step, by_calls[most] * factor) for step in (100, 200, 400)],
        },
        "points": [
            {"calls": calls, "sampler": "", "guided": guided, "guidance": 0.5 * guided}
            | {"frechet": value * factor * (1 if guided else 1.5)}
            | scores
            for calls, value in by_calls.items()
            for guided in (True, False)
        ],
        "bits": None if bits is None else {"bits": bits * factor, "kind": "exact"},
        "energy": {
            "calls": most,
            "mean": [1.2 + 20 / (1 + step) for step in range(most)],
            "fell": [0.9] * (most - 1),
            "error": [0.1 / (1 + step) for step in range(most + 1)],
            "decrease": [0.1 / (1 + step) - 0.1 / (2 + step) for step in range(most)],
            "decrease_error": [0.001] * most,
            "floor": 0.13,
            "sheet": SHEET,
        },
    }


def _row(step: int, last: float) -> dict[str, float]:
    falls = {"frechet": last * 400 / step, "grad_mean": 1.0, "grad_var": 0.04}
    return {"step": step, "seconds_per_step": 0.1, **falls}
