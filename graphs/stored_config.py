"""Files of models that earlier versions saved, in the form in which this version reads them."""

from typing import Any

COMMON = ("kind", "dim", "depth", "heads", "dropout", "reach", "start_from", "training")
MODEL = {
    "contraction": {
        **{name: name for name in ("parallel", "bounded", "matching", "coupled", "smooth")},
        **{name: name for name in ("cycles", "property_dropout", "single_dropout")},
        "shown": "edge_tokens",
        "share": "scale_subsampling",
    },
    "expansion": {"matching": "matching", "counted": "counted", "every": "scale_subsampling"},
    "masked": {"bounded": "bounded", "weighting": "weighting"},
}
"""Settings of a model that its kind of generator knows, in a config for all kinds: old and new
names."""
SAMPLING = {
    "contraction": ("temperature", "guidance", "parallel"),
    "expansion": ("temperature",),
    "masked": ("temperature", "calls", "order"),
}
"""Settings for sampling that a kind knows."""


def current(meta: dict[str, object]) -> dict[str, object]:
    """Metadata of a saved model as this version reads it.

    Earlier versions stored one config for all kinds of generators, with settings that most kinds
    did not know or that no longer exist, and the statistics of the training graphs one by one.

    >>> old = {"config": {"model": {"counted": False, "share": 1.0}, "sampling": {"restarts": 0}}}
    >>> new = current(old | {"vocabulary": {}, "limits": [4], "connected": True, "support": None})
    >>> new["config"]
    {'model': {'scale_subsampling': 1.0, 'kind': 'contraction'}, 'sampling': {}}
    >>> new["statistics"]["max_counts"]
    [4]
    """
    config = meta["config"]
    if "statistics" in meta or not isinstance(config, dict):
        return meta
    statistics = {
        "vocabulary": meta["vocabulary"],
        "max_counts": meta["limits"],
        "connected": meta["connected"],
        "sizes": meta.get("sizes", ()),
        "valence_limits": meta["support"],
    }
    return {**meta, "config": _of_its_kind(config), "statistics": statistics}


def _of_its_kind(config: dict[str, Any]) -> dict[str, Any]:
    """A config with the settings that its kind of generator knows."""
    kind = config["model"].get("kind", "contraction")
    names = {**{name: name for name in COMMON}, **MODEL.get(kind, {})}
    model = {names[k]: value for k, value in config["model"].items() if k in names}
    sampling = {k: v for k, v in config["sampling"].items() if k in SAMPLING.get(kind, ())}
    return {**config, "model": {**model, "kind": kind}, "sampling": sampling}
