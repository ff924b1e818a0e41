"""Shared models: their folder, and the code on their card, which is run as a user would."""

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.constants import CONFIG_NAME, SAFETENSORS_SINGLE_FILE


def made_by_card(folder: Path, domain: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Variables that the code of a card leaves, run in its folder.

    The names of the files, and the header of the card, are those of huggingface_hub.
    """
    assert {path.name for path in folder.iterdir()} >= {CONFIG_NAME, SAFETENSORS_SINGLE_FILE}
    card = huggingface_hub.ModelCard.load(folder / "README.md")
    assert card.data.library_name == "refine" and domain in (card.data.tags or [])
    (code,) = (part.partition("```")[0] for part in card.text.split("```python")[1:])
    monkeypatch.chdir(folder)
    found: dict[str, Any] = {}
    exec(code, found)
    return found
