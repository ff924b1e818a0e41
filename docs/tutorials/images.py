# %% [markdown]
# # MNIST, end to end
#
# A trained model ships with the package. This page draws digits with it, looks at how a digit comes
# about from coarse to fine, measures how many bits the model needs for digits that it has never seen,
# redraws a part of an image, and trains a small model. [The report](../results/images/mnist/REPORT.md) holds its scores.
# %%
from pathlib import Path

import torch

import images
from images.evaluation.plots import plot_grid, plot_samples

model = images.load("mnist", "cpu")
print(model.schedule)  # one line of the product a network call
# %% [markdown]
# ## Draw
#
# A digit depends on the seed, on its number and on its class only, so it is the same in any
# batch, up to the rounding of sums.
# %%
threes = model.sample(100, seed=7, labels=3, workers=1)
alone = model.sample(1, seed=7, labels=3, workers=1)
print(tuple(threes.shape), "largest difference:", f"{(threes[:1] - alone).abs().max():.0e}")
# %%
plot_samples(model, Path("digits.png"), each=6)
# %% [markdown]
# ## Coarse to fine
#
# The image after each network call: the first code is a blurred digit, later ones sharpen it.
# %%
steps = model.sample_steps(8, seed=1, labels=list(range(8)))
rows = torch.stack(steps, 1).flatten(0, 1)  # a digit a row, a call a column
plot_grid(rows, Path("steps.png"), len(steps), "after each call")
# %% [markdown]
# ## Bits
#
# The likelihood of the codes is exact: one pass gives the log-probability of the codes of each
# call. An image of the wrong class costs more.
# %%
test = images.mnist().test
few, labels = test.images[:200], test.labels[:200]
for title, given in {"true class": labels, "another class": (labels + 1) % 10}.items():
    with torch.no_grad():
        nats = model.refiner.code_log_prob(few, given)  # (200, calls)
    bits = -nats.sum(1) / torch.log(torch.tensor(2.0))
    print(f"{title}: {bits.mean():.0f} bits an image")
# %% [markdown]
# ## Redraw a part
#
# Pixels outside of the mask stay exactly as they are. (The test images were fetched above, once.)
# %%
mask = torch.arange(28)[None].expand(28, -1) > 13  # the right half
shown = [few[:8], few[:8].masked_fill(mask, 0.5)]
shown += [model.inpaint(few[:8], mask, seed=seed, labels=labels[:8]) for seed in range(3)]
plot_grid(torch.cat(shown), Path("redrawn.png"), 8, "right halves redrawn")
# %% [markdown]
# Rows: test images, what is kept, and three ways to go on.
#
# To train such a model on images of your own, see [Your own data](../howto/own-data.md); on the command
# line all of this is `refine images sample`, `evaluate` and `edit`
# ([all commands](../guide/images.md)).
# %% [markdown]
# ## Train one
#
# A config says what to train, on any images of one size. This one is small and sees 4,000 digits, five
# times each; `refine images train --config mnist` makes the shipped model. The run is kept in
# `runs/small`, goes on where it was stopped, and is loaded by `images.load("runs/small")`.
# %%
from refine_core import Optimisation

digits = images.mnist()
first = images.LabelledImages(digits.train.images[:4000], digits.train.labels[:4000])
config = images.ImagesConfig(
    name="small",
    tokenizer=images.TokenizerConfig(
        sizes=(1, 2, 4, 7),
        codes=(64,),
        width=32,
        training=Optimisation(3, batch=64, learning_rate=2e-3),
    ),
    generator=images.GeneratorConfig(
        dim=64, depth=2, training=Optimisation(5, batch=64, learning_rate=2e-3)
    ),
)
small = images.train(config, images.Images(first, digits.test, 10), quiet=True)
plot_samples(small, Path("small.png"), each=6)
print(len(small.schedule), "network calls")
# %% [markdown]
# Such a training makes strokes; what more of it, larger codes, parts and guidance make of them
# is above.
