"""Trained models, each saved as one file, and what a user does with one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from graphs.config import GraphsConfig
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.datasets.properties import Properties
from graphs.datasets.splits import Splits
from graphs.drawing import BatchSampler
from graphs.energy import ResidualEnergy
from graphs.generators.common.config import SamplingConfig
from graphs.generators.common.kind import GeneratorKind
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.common.valence import ValenceLimits, draw_again
from graphs.generators.contraction.refiner import GraphMethod
from graphs.generators.kinds import kind_of
from graphs.generators.scaffold.sampler import PARTICLES
from graphs.scoring import Score, check_score, is_portable
from refine_core.app.processes.memory import check_memory
from refine_core.app.processes.workers import Workers, map_in_workers
from refine_core.app.progress import Progress
from refine_core.config.schema import from_dict, to_dict
from refine_core.device import Device
from refine_core.errors import InputError
from refine_core.methods.registry import SamplingMethods, build_methods
from refine_core.noise import Noise
from refine_core.sampling.intermediates import AfterScale
from refine_core.storage.model_card import ModelCard
from refine_core.storage.pretrained import Pretrained, StoredModel


@dataclass(frozen=True)
class GraphSpec:
    """What a model is rebuilt from; the fields are those of `GraphModel`."""

    config: GraphsConfig
    statistics: GraphStatistics
    properties: Properties


MODELS = Pretrained("graphs.model", GraphSpec, Path(__file__).parent / "weights")


@dataclass
class GraphModel(StoredModel):
    """A trained generator of graphs.

    Args:
        refiner: In evaluation mode.
        config: That made it.
        statistics: Statistics of the graphs that it was trained on.
        properties: What it is conditioned on.

    >>> import graphs
    >>> model = graphs.load("qm9")
    >>> made = model.sample(2, seed=0, scaffold="C1CC1", particles=2)  # with a ring of three
    >>> len(model.smiles(made)), model.code_log_prob(made).shape  # nats
    (2, torch.Size([2]))
    """

    refiner: GraphRefiner
    config: GraphsConfig
    statistics: GraphStatistics
    properties: Properties = Properties()

    def __post_init__(self) -> None:
        """Load the other models that methods name."""
        for method in self.refiner.own_methods:
            method.connect(self.refiner, lambda name: load(name, "cpu").refiner)

    @property
    def kind(self) -> GeneratorKind:
        """Its kind of generator."""
        return kind_of(self.config.model)

    @property
    def vocabulary(self) -> Vocabulary:
        """The names of its graphs' labels."""
        return self.statistics.vocabulary

    @property
    def device(self) -> torch.device:
        """Where the model computes; graphs come from and go to the CPU."""
        return next(self.refiner.parameters()).device

    @property
    def energy(self) -> ResidualEnergy | None:
        """Its residual energy, if it has one; the law of the network alone lacks it."""
        found = self.refiner._modules.get("energy")
        return found if isinstance(found, ResidualEnergy) else None

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
        first: int = 0,
        where: dict[str, float] | None = None,
        guidance: float | None = None,
        calls: int | None = None,
        temperature: float | None = None,
        first_temperature: float | None = None,
        methods: SamplingMethods | None = None,
        batch: int = 500,
        scaffold: str | GraphBatch | None = None,
        score: Score | None = None,
        particles: float | None = None,
        workers: Workers = "auto",
        after_scale: AfterScale[GraphBatch] | None = None,
        quiet: bool = True,
    ) -> GraphBatch:
        """Sample graphs; graph i depends on the seed and i only, not on `count` or `batch`.

        Graphs with a node of more edges than any of its label had in training, where the model's
        kind is `bounded`, are drawn again (`graphs.generators.common.valence`).

        Properties shape the first scale too, the counts of nodes and edges, so the size of a graph
        follows from what is asked for.

        Args:
            count: Count of graphs.
            seed: Seed of the samples.
            first: Number of the first graph: further graphs begin where earlier ones ended.
            where: Wanted values of properties by name, in the data's units.
            guidance: Weight of classifier-free guidance; by default the model's.
            calls: Network calls, where the model's kind leaves them free; by default the model's.
            temperature: By default the model's.
            first_temperature: Of the first call of contractions; by default the model's.
            methods: Methods of sampling by name, with their fields; by default the model's.
            batch: Graphs at a time.
            scaffold: SMILES, or a batch of one graph, whose nodes and edges, with their labels,
                every sample contains (`graphs.generators.scaffold.sampler`). Atoms whose hydrogens
                are written, as in [nH], keep them.
            score: `graphs.near`, or a function of the canonical SMILES of molecules, or of other
                graphs as those of networkx, that gives each a number: samples follow the model's
                law times the exponential of it, the better the more `particles`.
            particles: Draws of which one is chosen, for each graph with a scaffold or score, by
                default 8; or, without these, draws that a model with a residual energy takes on
                average until one is kept, by default the model's. More cost time and agree better
                with the law.
            workers: Processes that share the batches, of one thread each; "auto" is one for each
                core where that pays. The graphs are the same. With `after_scale`, or a `score` of
                your own, this process alone.
            after_scale: Called after each network call of each batch, with its graphs as they are
                so far: coarse ones, of clusters with their most frequent label. Of graphs that are
                drawn again the last count. Not where one of several particles is chosen, which are
                no samples yet.
            quiet: Whether to show no progress.

        Raises:
            InputError: A number is out of its range, the model does not know a property, it
                cannot extend the scaffold, `score` is no function or does not give a number for
                each, there is `after_scale` beside a scaffold or several particles, or nothing to
                choose among these by, or the graphs do not fit into memory.
        """
        chosen = scaffold is not None or score is not None
        if particles is not None and particles > 1 and not chosen and self.energy is None:
            raise InputError(
                f"Found {particles:g} particles and nothing to choose one by, as the model has no "
                "residual energy: leave them out, or give a scaffold or score."
            )
        if chosen and particles is not None and particles % 1:
            raise InputError(
                f"Found {particles:g} particles, expected a whole number beside a scaffold or "
                "score: a fraction is the mean number of draws that a residual energy takes."
            )
        if particles is None:
            particles = PARTICLES if chosen else self.config.sampling.particles
        _check(where=where, guidance=guidance, count=count, batch=batch, particles=particles)
        check_score(score)
        remedy = "sample them in several files, each with a seed of its own"
        check_memory(self.statistics.memory(count), f"A list of {count} graphs", remedy)
        settings = self.settings(
            guidance=guidance,
            calls=calls,
            temperature=temperature,
            first_temperature=first_temperature,
            methods=methods,
        )
        context = self.properties.request(where, count) if where else None
        self.kind.prepare(self.refiner, settings)
        if not where:
            settings = replace(settings, guidance=0.0)
        plain = not chosen and (self.energy is None or particles == 1)
        if after_scale is not None and not plain:
            raise InputError(
                "Found `after_scale` beside a scaffold, a score or a residual energy, whose "
                "particles are no samples until one is chosen: leave it out, or give particles=1."
            )
        draw = BatchSampler(
            self.refiner,
            self.statistics,
            self._methods(settings),
            settings,
            seed,
            scaffold,
            [each for each in (score, self.energy) if each is not None],
            particles,
            self.energy.bound(particles) if self.energy and not (plain or chosen) else None,
            after_scale,
        )
        places = torch.arange(count).split(max(1, batch // int(particles)) if chosen else batch)
        device = self.device.type

        def inputs(places: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor | None]]:
            for each in places:
                yield first + each, None if context is None else context[each]

        def again(at: Tensor, turn: int) -> GraphBatch:
            some, repeated = at.split(len(places[0])), replace(draw, turn=turn)
            drawn = map_in_workers(repeated, inputs(some), len(some), 1, device=device)
            return GraphBatch.joined([*drawn])

        if after_scale is not None or not is_portable(score):
            workers = 1
        parts: list[GraphBatch] = []
        with Progress("drawing", count, quiet=quiet) as progress:
            for graphs in map_in_workers(
                draw, inputs(places), len(places), workers, device=device
            ):
                parts.append(graphs)
                progress.update(sum(map(len, parts)))
            limits: ValenceLimits | None = getattr(self.refiner.head, "valence_limits", None)
            if limits is not None:
                draw_again(parts, limits, again)
        return GraphBatch.joined(parts)

    def settings(self, **given: object) -> SamplingConfig:
        """The model's settings for sampling, with those given in their place; None gives none.

        Raises:
            InputError: A setting is out of its range, or the model's kind does not know it.
        """
        known = {name: value for name, value in given.items() if value is not None}
        settings = from_dict(SamplingConfig, to_dict(self.config.sampling) | known, "sampling")
        self.config.model.check_sampling(settings)
        return settings

    def _methods(self, settings: SamplingConfig) -> list[GraphMethod]:
        """Methods of sampling, ready to be used."""
        methods: list[GraphMethod] = build_methods(settings.methods)
        for method in methods:
            method.connect(self.refiner, lambda name: load(name, "cpu").refiner)
        return methods

    @torch.no_grad()
    def code_log_prob(
        self,
        graphs: GraphBatch,
        *,
        seed: int = 0,
        draws: int = 1,
        where: dict[str, float] | None = None,
        first: int = 0,
    ) -> Tensor:
        """Lower bound (b,), in nats, on the log-probability of each graph, up to its relabellings.

        The contraction tree is latent: the mean over trees of log p(codes) / q(tree) bounds
        log p(graph); this is the mean of log p(codes), without the entropy of the trees, and so
        lower still. It is minus infinity where the model cannot make a graph, and the network's
        alone where there is a residual energy.

        Args:
            graphs: b graphs.
            seed: Seed of the trees.
            draws: Trees to average over.
            where: Given values of properties by name, in the data's units.
            first: Number of the first graph; the trees of a graph depend on its number and seed.

        Raises:
            InputError: The model does not know a property, a value or `draws` is out of its
                range, or a graph has no nodes.
        """
        context = self.properties.request(where, len(graphs)).to(self.device) if where else None
        _check(where=where, guidance=None, draws=draws)
        if bool((graphs.sizes == 0).any()):
            raise InputError("Found a graph without nodes, expected one at least: leave it out.")
        index = first + torch.arange(len(graphs), device=self.device)
        total = torch.zeros(len(graphs))
        for turn in range(draws):
            noise = Noise(seed, index).fork(turn)
            each = self.refiner.code_log_prob(graphs.to(self.device), context, noise)
            total += each.sum(1).cpu() / draws
        return total

    def check_data(self, parts: Splits) -> None:
        """Check that data are those that the model was trained on.

        Raises:
            InputError: They are others, or lack the SMILES of molecules.
        """
        source, sizes = self.config.data.source, self.statistics.sizes
        if sizes and tuple(parts.train.sizes.bincount().tolist()) != sizes:
            raise InputError(
                f"{source} holds other graphs now than those the model was trained on, so what "
                "was held out then is not known: put the data back, or train again."
            )
        if self.is_molecular and parts.train.arrays.text is None:
            raise InputError(
                f"{source} holds graphs with labels of atoms and bonds, but no SMILES to compare "
                "molecules with: train on SMILES, or use other labels."
            )

    def smiles(self, graphs: GraphBatch) -> list[str | None]:
        """Canonical SMILES, uncorrected; None where RDKit refuses.

        Raises:
            InputError: The graphs are not molecules.
        """
        if not self.is_molecular:
            raise InputError("This model's graphs are not molecules, so they have no SMILES.")
        from graphs.chem import to_smiles

        return to_smiles(graphs, self.vocabulary)

    @classmethod
    def from_pretrained(cls, folder: str | Path, device: Device = "auto") -> "GraphModel":
        """The model that `save_pretrained` wrote to a folder; see `load`, which reads it too."""
        return load(folder, device)

    @property
    def _stored(self) -> tuple[Pretrained[GraphSpec], nn.Module, GraphSpec]:
        return MODELS, self.refiner, GraphSpec(self.config, self.statistics, self.properties)

    def _card(self) -> ModelCard:
        what = "molecules" if self.is_molecular else "graphs"
        use = "made = model.smiles(model.sample(4, seed=0))  # None where RDKit refuses"
        use = use if self.is_molecular else "made = model.sample(4, seed=0)  # a GraphBatch"
        return ModelCard(
            self.config.name,
            f"{what.capitalize()} from coarse to fine, by refinement of discrete codes.",
            "graphs",
            f"""
import graphs

model = graphs.GraphModel.from_pretrained(".")  # this folder
{use}
""",
            {
                "kind": self.config.model.kind,
                "labels of nodes": len(self.vocabulary.nodes),
                "labels of edges": ", ".join(self.vocabulary.edges),
                "properties": ", ".join(self.properties.names) or "none",
                "residual energy": "none" if self.energy is None else "yes",
                "parameters": sum(each.numel() for each in self.refiner.parameters()),
            },
            (f"{what}-generation",),
        )


def load(name: str | Path, device: Device = "auto") -> GraphModel:
    """Load a shipped model by name, or a trained one by path (of its file or its run's folder).

    Args:
        name: Name of a shipped model, a run's folder (with `model.safetensors`), or a file.
        device: Where it computes, such as cpu or cuda; auto takes an accelerator if there is one.

    Raises:
        InputError: There is no such model or device, or the file is not one.

    >>> import graphs
    >>> model = graphs.load("qm9")
    >>> model.smiles(model.sample(2, seed=0))
    ['COC1(C)C(O)C1O', 'C#CC1(CO)COC1=N']
    """
    saved = MODELS.load(name)
    spec = saved.spec
    kind = kind_of(spec.config.model)
    refiner = kind.build(spec.statistics, len(spec.properties.names))
    if "energy.log_odds" in saved.tensors:
        refiner.add_module("energy", ResidualEnergy())
    return GraphModel(
        saved.restore(refiner, device), spec.config, spec.statistics, spec.properties
    )


def _check(*, where: dict[str, float] | None, guidance: float | None, **counts: float) -> None:
    """Refuse counts below one, and guidance without a property.

    Raises:
        InputError: One of these is given.
    """
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"Found {name} {count:g}, expected 1 or more: give a larger number.")
    if guidance and not where:
        raise InputError(
            f"Found guidance {guidance:g} but no property to guide to: say which value of which "
            "is wanted, as in --where logp=1.5, or leave guidance out."
        )
