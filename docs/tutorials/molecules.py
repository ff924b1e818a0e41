# %% [markdown]
# # Molecules of your own
#
# A model learns from a list of SMILES and a property, and then draws molecules that have a value of
# it, or that contain a scaffold. The molecules here are the first two thousand of those that our
# MOSES model has drawn, so that nothing has to be fetched; yours may come from a .smi, .csv or .sdf
# file, and are harder to learn than those that resemble MOSES already.
# %%
from dataclasses import replace
from pathlib import Path

import numpy as np
from rdkit import Chem
from rdkit.Chem.Crippen import MolLogP

import graphs
from graphs.chem.pictures import plot_molecules
from refine_core.config import load

root = Path(graphs.__file__).parents[1]
mine = (root / "results/graphs/moses/samples.smi").read_text().split()[:2000]
print(len(mine), "molecules, such as", *mine[:3])
# %% [markdown]
# ## Train
#
# The config `own` suits some thousand molecules. `start_from` begins with what the MOSES model knows; six
# epochs are few, to show the way. A training that is stopped goes on where it was.
# %%
config = load(graphs.GraphsConfig, "own")
data = replace(config.data, properties=("logp",))
training = replace(config.model.training, epochs=6)
network = replace(config.model, start_from="moses", training=training)
config = replace(config, data=data, model=network, validations=1)
model = graphs.train(config, smiles=mine, quiet=True)
drawn = model.smiles(model.sample(200, seed=0, workers=1))
valid = [smiles for smiles in drawn if smiles is not None]
print(f"valid: {len(valid) / 2} %, unique: {len(set(valid)) / len(valid):.0%}")


# %% [markdown]
# ## Ask for a property
#
# `where` takes values in the data's units. Guidance makes samples follow them more closely.
# %%
def logp(smiles):
    return np.array([MolLogP(Chem.MolFromSmiles(each)) for each in smiles if each])


print(f"training molecules: logp {logp(mine).mean():.2f} +- {logp(mine).std():.2f}")
for wanted in (1.0, 2.5, 4.0):
    asked = model.sample(100, where={"logp": wanted}, guidance=1.0, workers=1)
    found = logp(model.smiles(asked))
    print(f"asked for {wanted}: {found.mean():.2f} +- {found.std():.2f}")
# %% [markdown]
# ## Extend a scaffold
#
# Every sample contains the scaffold. `*` says where it may go on: `*c1ccncc1` grows at that atom only.
# %%
extended = model.smiles(model.sample(10, scaffold="*c1ccncc1", seed=3, workers=1))
plot_molecules([each for each in extended if each], "scaffold.png")
# %% [markdown]
# `refine graphs train --config own --name mine --data.source my.smi --time 1h` trains for an
# hour and says at the end how good the model is; `refine graphs evaluate --model runs/mine` writes its
# [report](../howto/report.md).
