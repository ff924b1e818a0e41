"""Configs in the files of models that earlier versions saved, in the form of this version."""

RETIRED = {"model": ("latent",), "sampling": ("restarts", "restart_scale")}
"""Settings that no longer exist, by their section of the config."""


def current(meta: dict[str, object]) -> dict[str, object]:
    """Metadata of a saved model, its config without the settings that no longer exist.

    >>> current({"config": {"name": "a", "sampling": {"restarts": 0, "temperature": 1.0}}})
    {'config': {'name': 'a', 'sampling': {'temperature': 1.0}}}
    """
    config = meta["config"]
    assert isinstance(config, dict)
    sections = {
        section: {k: v for k, v in config[section].items() if k not in names}
        for section, names in RETIRED.items()
        if section in config
    }
    return {**meta, "config": config | sections}
