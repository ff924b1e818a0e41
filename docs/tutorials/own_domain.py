# %% [markdown]
# # Your own domain
#
# Waves on a line are no domain of this package, and yet a generator of them, with training, guided
# sampling, exact likelihoods and saving, takes the 120 lines below. It is the package `examples/signals`,
# which `pip install ./examples/signals` adds to the command `refine`.
#
# ```python
# --8<-- "examples/signals/signals/model.py"
# ```
#
# A domain supplies the networks of a tokeniser (`build_tokenizer`), what tokens look like to the
# transformer (`GridEmbed` here), and a config; the rest is the core's.
# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt

import refine_core as rc

sys.path.append(str(Path(rc.__file__).parents[1] / "examples/signals"))
from signals import model as signals

config = signals.SignalsConfig(
    count=2000,
    tokenizer=rc.Optimisation(epochs=8, batch=32),
    generator=rc.Optimisation(epochs=10, batch=32, learning_rate=2e-3),
)
model = signals.train(config, quiet=True)
print(model.refiner.tokenizer.schedule)
# %% [markdown]
# ## Draw, with guidance
# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 2), sharey=True, layout="constrained")
for label, (axis, title) in enumerate(zip(axes, signals.CLASSES, strict=True)):
    axis.plot(model.sample(3, label, seed=1, guidance=1.0)[:, 0].T)
    axis.set_title(title)
figure.savefig("signals.png", dpi=80)
# %% [markdown]
# ## Likelihood
#
# Codes of a wave are likelier under its own class.
# %%
waves, labels = signals.waves(60, seed=99)
for shift in range(3):
    nats = model.log_prob(waves, (labels + shift) % 3)
    print(f"class + {shift}: {nats.mean():.1f} nats")
# %% [markdown]
# What else the core offers to a domain is in [the table of parts](../guide/core.md) and in
# [the API](../api/refine_core.md).
