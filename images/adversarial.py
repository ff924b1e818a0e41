"""The decoder, trained on against a discriminator: sharp images of codes that say little.

A decoder that minimises the squared error paints the mean of all images that a code may stand for.
Here it learns besides what a discriminator of patches cannot tell from training images (VQGAN,
Esser et al., 2021, arXiv 2012.09841), with the hinge loss (Lim and Ye, 2017, arXiv 1705.02894):

    discriminator:  E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))
    decoder:        w |G(z(x)) - x|^2 - E D(G(z))

Encoder, codes and generator stay as they are. A share of the states z comes from the generator, so
that the decoder also learns to paint what is sampled; the others are those of training images.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

from images.build import ImageRefiner
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from refine_core.training.data import Batch

GOLDEN = 0.6180339887498949
"""Multiples of it fill the numbers from 0 to 1 evenly, modulo 1."""


class Discriminator(nn.Sequential):
    """Images (b, c, h, w) to logits of overlapping patches, of bounded slope.

    Spectral normalisation (Miyato et al., 2018, arXiv 1802.05957).

    Its patches cover most of an image, and none reaches beyond the border.

    Args:
        channels: Channels of the images.
        size: (h, w) of the images, 4 pixels at least.
        width: Channels of the first layer.
    """

    def __init__(self, channels: int, size: tuple[int, int], width: int = 32) -> None:
        left = [(side // 4 + 1) // 2 for side in size]
        super().__init__(
            spectral_norm(nn.Conv2d(channels, width, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(2 * width, 4 * width, 3, 2, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(4 * width, 1, min(3, *left))),
        )


class AdversarialDecoder(nn.Module):
    """A tokeniser of which the decoder alone is trained, with its discriminator.

    Args:
        tokenizer: Trained.
        image: (c, h, w) of the images.
        fidelity: Weight w of the squared error.
    """

    def __init__(
        self,
        tokenizer: ResidualTokenizer,
        image: tuple[int, int, int],
        fidelity: float,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer.requires_grad_(False)
        self.tokenizer.decoder.requires_grad_(True)
        self.discriminator = Discriminator(image[0], image[1:])
        self.fidelity = fidelity

    def train(self, mode: bool = True) -> "AdversarialDecoder":
        """Codebooks stay as they are."""
        super().train(mode)
        self.tokenizer.eval()
        return self

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Losses of images (b, c, h, w) and, if any, sampled states (b, d, *finest)."""
        images, tokens = batch[0], self.tokenizer
        with torch.no_grad():
            states = tokens.trace(tokens.features(images)).states[-1]
        made = tokens.finish(torch.cat([states, *batch[1:]])).float()
        error = F.mse_loss(made[: len(images)], images)
        judge = self.discriminator
        told = F.relu(1 - judge(images)).mean() + F.relu(1 + judge(made.detach())).mean()
        # The decoder learns from the discriminator, which does not learn from that.
        fixed = {name: value.detach() for name, value in judge.named_parameters()}
        fooled = -functional_call(judge, fixed, (made,)).mean()
        loss = self.fidelity * error + fooled + told
        return {"loss": loss, "mse": error, "discriminator": told, "decoder": fooled}


class WithStates:
    """Images, each with sampled states beside it.

    Args:
        images: (n, c, h, w).
        states: (s, d, *finest) of samples; image i has state i modulo s, if it has any.
        share: Share of the images that have a state beside them.
    """

    def __init__(self, images: Tensor, states: Tensor, share: float) -> None:
        self.images, self.states, self.share = images, states, share

    def __len__(self) -> int:
        """Count of images."""
        return len(self.images)

    def __getitem__(self, index: Tensor) -> Batch:
        """Images (b, c, h, w) at `index`, and the states of those that have one."""
        chosen = index[(index.double() * GOLDEN) % 1 < self.share]
        return (self.images[index], self.states[chosen % len(self.states)])


@torch.no_grad()
def sampled_states(
    refiner: ImageRefiner, labels: Tensor | None, count: int, seed: int, batch: int = 250
) -> Tensor:
    """States (count, d, *finest) after the last scale of samples, without guidance.

    Args:
        refiner: In evaluation mode.
        labels: (n,) classes, of which the first `count` are sampled; None where there are none.
        count: Count of samples.
        seed: Seed of the samples.
        batch: Samples at a time.
    """
    parts, device = [], next(refiner.parameters()).device
    for index in torch.arange(count).split(batch):
        given = None if labels is None else labels[index % len(labels)].to(device)
        noise = Noise(seed, index.to(device))
        parts.append(refiner.sample_trace(noise, given).states[-1].cpu())
    return torch.cat(parts)
