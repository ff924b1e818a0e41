"""Extras, as the metadata of a package tell them."""

import pytest

from refine_core.app import extras

METADATA = [
    "torch>=2.6",
    "Pillow>=10; extra == 'images'",
    "diffusers>=0.31; extra == 'study'",
    'pillow>=10; extra == "study"',
    "jcm<4,>=3.0; extra == 'simulate'",
    "xarray>=2024.10; extra == 'simulate'",
    "diffusers>=0.31; extra == 'weather'",
    "distributed>=2024.10; extra == 'cluster'",
    "xarray>=2024.10; (python_version > '3') and extra == 'weather'",
]


def test_packages_of_extras() -> None:
    found = extras.extras(METADATA)
    assert found["images"] == ["pillow"] and found["study"] == ["diffusers", "pillow"]
    assert found["weather"] == ["diffusers", "xarray"]


@pytest.mark.parametrize(
    ("module", "domain", "extra"),
    [
        ("PIL.Image", "images", "images"),
        ("diffusers", "images", "study"),  # what `images` needs and more, not `weather`
        ("diffusers.schedulers", "weather", "weather"),
        ("jax.numpy", "weather", "simulate"),
        ("distributed", "weather", "cluster"),
        ("unheard_of", "weather", None),
    ],
)
def test_the_extra_that_brings_a_module(module: str, domain: str, extra: str | None) -> None:
    assert extras.extra_with(module, domain, extras.extras(METADATA)) == extra


def test_what_is_installed() -> None:
    assert extras.installed("torch") and extras.installed("unheard-of") is None
    assert {"torch", "numpy", "tyro"} <= set(extras.required())
    assert "rdkit" in extras.extras()["graphs"] and "rdkit" not in extras.required()
