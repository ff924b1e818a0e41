"""Trained models: kept as one file, and what a user does with one.

>>> model = load("qm9")                                            # doctest: +SKIP
>>> model.smiles(model.sample(4, seed=0))                          # doctest: +SKIP
['CCN(C)C(=O)C1CO1', 'COC1(C=O)C2CC1O2', 'N#CC1C(O)C1(O)CO', 'C#CC12CCC(C1)C2O']
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from graphs.config import GraphsConfig
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.datasets.properties import Properties
from graphs.generators.build import build
from graphs.generators.common.parallel import Parallel
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.valence import Support
from graphs.generators.masked.state import Order
from graphs.generators.sampling import check, contracting, draw, prepare, way
from graphs.generators.scaffold.request import Kept
from graphs.generators.scaffold.sampler import PARTICLES
from graphs.stored_config import current
from refine_core.app.progress import Progress
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.storage.pretrained import Pretrained


@dataclass(frozen=True)
class GraphSpec:
    """What a model is rebuilt from; the fields are those of `GraphModel`."""

    config: GraphsConfig
    vocabulary: Vocabulary
    limits: tuple[int, ...]
    connected: bool
    properties: Properties
    support: Support | None = None
    sizes: tuple[int, ...] = ()


MODELS = Pretrained("graphs.model", GraphSpec, Path(__file__).parent / "weights", current=current)


@dataclass
class GraphModel:
    """A trained generator of graphs.

    Args:
        refiner: In evaluation mode.
        config: That made it.
        vocabulary: What its labels mean.
        limits: Largest counts, see `graphs.generators.contraction.tokenizer.ContractionTokenizer`.
        connected: Whether all graphs are in one piece.
        properties: What it is conditioned on.
        support: What may be drawn, see `graphs.generators.common.valence`.
        sizes: Count of training graphs of size 0, 1, ...
    """

    refiner: GraphRefiner
    config: GraphsConfig
    vocabulary: Vocabulary
    limits: tuple[int, ...]
    connected: bool
    properties: Properties
    support: Support | None = None
    sizes: tuple[int, ...] = ()

    @property
    def device(self) -> torch.device:
        """Where the model computes; graphs come from and go to the CPU."""
        return next(self.refiner.parameters()).device

    @property
    def is_molecular(self) -> bool:
        """Whether its graphs are molecules."""
        return self.vocabulary.molecular

    @torch.no_grad()
    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        where: dict[str, float] | None = None,
        guidance: float | None = None,
        parallel: Parallel | None = None,
        calls: int | None = None,
        order: Order | None = None,
        temperature: float | None = None,
        batch: int = 250,
        scaffold: str | GraphBatch | None = None,
        particles: int = PARTICLES,
        quiet: bool = True,
    ) -> GraphBatch:
        """Draw graphs; graph i depends on the seed and i only, not on `count` or `batch`.

        Properties shape the first scale too, the counts of nodes and edges, so the size of a graph
        follows from what is asked for.

        Args:
            count: Of graphs.
            seed: Of the draw.
            where: Wanted values of properties by name, in the data's units.
            guidance: Weight of classifier-free guidance; by default the model's.
            parallel: Clusters that split in one call; by default the model's.
            calls: Network calls, where the model's kind leaves them free; likewise.
            order: What masked diffusion reveals next; likewise.
            temperature: By default the model's.
            batch: Graphs at a time.
            scaffold: SMILES, or a batch of one graph, whose nodes and edges, with their labels,
                every graph drawn contains (`graphs.generators.scaffold.sampler`).
            particles: Draws of which one is kept, for each graph with a scaffold; more cost time
                and agree better with the model.
            quiet: Whether to show no progress.

        Raises:
            InputError: A number is out of its range, the model does not know a property, or it
                cannot extend the scaffold.
        """
        check(where=where, guidance=guidance, count=count, batch=batch, particles=particles)
        how = way(
            self.config.model,
            self.config.sampling,
            parallel=parallel,
            calls=calls,
            order=order,
            temperature=temperature,
            guidance=guidance,
        )
        context = self.properties.request(where, count).to(self.device) if where else None
        kept = None
        if scaffold is not None:
            contracting(self.config.model, "extend a scaffold")
            kept = Kept.of(scaffold, self.vocabulary, self.limits, self.support)
        parts = []
        with Progress("drawing", count, quiet=quiet) as progress:
            for index in torch.arange(count).split(max(1, batch // (particles if kept else 1))):
                given = None if context is None else context[index]
                noise = Noise(seed, index.to(self.device))
                if kept is None:
                    drawn = draw(self.refiner, noise, given, how)
                else:
                    (sampling,) = prepare(self.refiner, how, given)
                    drawn = kept.sample(self.refiner, noise, given, sampling, particles)
                parts.append(drawn.to("cpu"))
                progress.update(int(index[-1]) + 1)
        return GraphBatch.joined(parts)

    @torch.no_grad()
    def code_log_prob(
        self, graphs: GraphBatch, *, seed: int = 0, draws: int = 1, context: Tensor | None = None
    ) -> Tensor:
        """Lower bound (b,), in nats, on the log-probability of each graph, up to its relabellings.

        The contraction tree is latent: the mean over trees of log p(codes) / q(tree) bounds
        log p(graph); this is the mean of log p(codes), without the entropy of the trees, and so
        lower still.

        Args:
            graphs: b graphs.
            seed: Of the trees.
            draws: Trees to average over.
            context: (b, p) scaled properties.
        """
        index = torch.arange(len(graphs), device=self.device)
        total = torch.zeros(len(graphs))
        for turn in range(draws):
            noise = Noise(seed, index).fork(turn)
            each = self.refiner.code_log_prob(graphs.to(self.device), context, noise)
            total += each.sum(1).cpu() / draws
        return total

    def smiles(self, graphs: GraphBatch) -> list[str | None]:
        """Canonical SMILES, uncorrected; None where RDKit refuses.

        Raises:
            InputError: The graphs are not molecules.
        """
        if not self.is_molecular:
            raise InputError("This model's graphs are not molecules, so they have no SMILES.")
        from graphs.chem import to_smiles

        return to_smiles(graphs, self.vocabulary)

    def save(self, path: Path, *, half: bool = True) -> None:
        """Write the model as one safetensors file, by default in half precision."""
        spec = GraphSpec(
            self.config,
            self.vocabulary,
            self.limits,
            self.connected,
            self.properties,
            self.support,
            self.sizes,
        )
        MODELS.save(path, self.refiner, spec, half=half)


def load(name: str | Path, device: str = "cpu") -> GraphModel:
    """A shipped model by name, or a trained one by path (of its file or its run's folder).

    Raises:
        InputError: If there is no such model, or the file is not one.
    """
    saved = MODELS.load(name)
    spec = saved.spec
    refiner = build(
        spec.config.model,
        spec.vocabulary,
        spec.limits,
        connected=spec.connected,
        properties=len(spec.properties.names),
        support=spec.support,
        sizes=spec.sizes,
    )
    return GraphModel(
        saved.restore(refiner, device),
        spec.config,
        spec.vocabulary,
        spec.limits,
        spec.connected,
        spec.properties,
        spec.support,
        spec.sizes,
    )
