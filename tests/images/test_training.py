"""Training: refused before it begins, continued, not repeated; every shipped config trains."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from images.config import GeneratorConfig, ImagesConfig, SamplingConfig, TokenizerConfig
from images.data.load import Images, LabelledImages
from images.model import ImageModel
from images.training import train
from refine_core.config.schema import load
from refine_core.errors import InputError
from refine_core.training.config import Optimisation
from tests.images.tiny import CONFIG, IMAGES

MODELS = sorted((Path(__file__).parents[2] / "configs/images").glob("*.yaml"))
MODELS = [path for path in MODELS if "\ngenerator:" in path.read_text()]  # one model each
LARGE = {True: [pytest.mark.slow], False: []}


def sections(
    tokenizer: TokenizerConfig = CONFIG.tokenizer,
    generator: GeneratorConfig = CONFIG.generator,
    sampling: SamplingConfig = CONFIG.sampling,
) -> ImagesConfig:
    return replace(CONFIG, tokenizer=tokenizer, generator=generator, sampling=sampling)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (sections(generator=replace(CONFIG.generator, weights=(1.0, 2.0))), "has 2 values for 3"),
        (sections(sampling=SamplingConfig(guidance=(0.0, 1.0))), "guidance has 2 values for 3"),
        (sections(sampling=SamplingConfig(top_p=(0.5,) * 4)), "top_p has 4 values for 3"),
        (sections(replace(CONFIG.tokenizer, parts=(1, 2))), "has 2 values for 3"),
        (sections(replace(CONFIG.tokenizer, codes=(4, 8))), "has 2 values for 3"),
        (sections(replace(CONFIG.tokenizer, sizes=(1, 2, 5))), "must end with 4, found 5"),
        (sections(replace(CONFIG.tokenizer, quantizer="product", groups=3)), "3"),
        (
            sections(generator=replace(CONFIG.generator, training=Optimisation(batch=129))),
            "`generator.training.batch` 129 for 128 training images",
        ),
    ],
)
def test_what_cannot_be_built_is_refused_before_training(
    config: ImagesConfig, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        train(config, IMAGES, tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())


def test_a_finished_run_is_not_repeated(runs: Path, model: ImageModel) -> None:
    before = (runs / "tiny/generator/metrics.json").read_text()
    with pytest.raises(InputError, match="another seed"):
        train(replace(CONFIG, seed=1), IMAGES, runs, quiet=True)
    again = train(CONFIG, IMAGES, runs, quiet=True)
    assert torch.equal(model.sample(3), again.sample(3))
    assert (runs / "tiny/generator/metrics.json").read_text() == before


@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=LARGE["large" in p.stem], id=p.stem) for p in MODELS]
)
def test_shipped_configs_train_for_two_steps(path: Path, tmp_path: Path) -> None:
    config = load(ImagesConfig, path)
    pixels = torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    part = LabelledImages(pixels, torch.arange(16) % 10)
    two_steps = Optimisation(epochs=1, batch=8)
    quick = replace(
        config,
        tokenizer=replace(config.tokenizer, training=two_steps),
        generator=replace(config.generator, training=two_steps),
    )
    if quick.adversarial is not None:
        last = replace(quick.adversarial, samples=8, training=two_steps)
        quick = replace(quick, adversarial=last)
    model = train(quick, Images(part, part, classes=10), tmp_path, quiet=True)
    assert model.sample(2).isfinite().all()
