# mypy: ignore-errors
"""The tokeniser of the latent pyramid: residual bits of slots and node latents.

An equivariant encoder gives each node a latent f, and pools all of them into invariant slots. The
slots' signs are the coarsest codes; a linear map of them, the same for all nodes, is the state s
that follows. Every bit-plane then quantises what is missing, sign(f - s), worth half as much as
the one before. A plane is revealed in parts, each a random subset of the nodes: more parts are
more network calls, and less is drawn at once.
"""

from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.config import LatentConfig
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.sizes import Sizes
from graphs.generators.latent.networks import Decoder, Encoder
from graphs.generators.latent.state import Latents
from refine_core.data import Batch
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.quantizers.bitwise import Bitwise
from refine_core.schedule import Scale, ScaleSchedule
from refine_core.tokenizer import Corrupt, Tokenizer, Trace


class LatentTokenizer(Tokenizer):
    """Graphs <-> bits of latents.

    Args:
        config: Sizes.
        vocabulary: Labels of nodes and edges.
        sizes: Count of training graphs of size 0, 1, ...

    Raises:
        InputError: There is no training graph.
    """

    def __init__(
        self, config: LatentConfig, vocabulary: Vocabulary, sizes: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.config, self.labels = config, (len(vocabulary.nodes), len(vocabulary.edges))
        self.sizes = Sizes(sizes)
        self.encoder = Encoder(config, self.labels, self.sizes.largest)
        self.decoder = Decoder(config, self.labels)
        self.expand = nn.Linear(config.channels * config.slots, config.channels, bias=False)
        planes = [Bitwise(config.channels, scale=0.5**p) for p in range(config.planes)]
        self.quantizers = nn.ModuleList([Bitwise(config.channels), *planes])
        self.halve()

    def halve(self) -> None:
        """Reveal each plane in two parts of random size, for training."""
        self._plan([2] * self.config.planes, halves=True)

    def ask(self, calls: int, order: str) -> None:
        """Spread network calls, the decoder's among them, evenly over the planes.

        Raises:
            InputError: There are fewer than parts.
        """
        planes = self.config.planes
        if calls < planes + 2:
            raise InputError(
                f"Found {calls} network calls, expected {planes + 2} at least: one for the slots, "
                f"{planes} for the bit-planes of this model's nodes, and the decoder's."
            )
        left = calls - 2
        self._plan([left // planes + (p < left % planes) for p in range(planes)], halves=False)

    def _plan(self, parts: list[int], *, halves: bool) -> None:
        self.halves = halves
        self.plan = [(0, 1, 1)]
        self.plan += [(p + 1, j + 1, count) for p, count in enumerate(parts) for j in range(count)]
        self.schedule = ScaleSchedule((Scale(codes=2),) * len(self.plan))

    def features(self, x: GraphBatch, noise: Noise | None = None) -> Latents:
        """Latents of graphs, with an order of their nodes, the slots being next."""
        noise = noise or Noise(0, torch.arange(len(x), device=x.nodes.device))
        n = x.nodes.shape[1]
        nodes, slots = self.encoder(x, noise.normal(-2, n, max(n, self.sizes.largest)))
        return self._aim(self._state(nodes, slots, x.valid, noise), 0)

    def _state(self, nodes: Tensor, slots: Tensor, valid: Tensor, noise: Noise) -> Latents:
        draw = noise.uniform(-3, valid.shape[1]).masked_fill(~valid, 2)
        rank, cut, none = draw.argsort(1).argsort(1), noise.uniform(-4), torch.zeros_like(valid)
        return Latents(nodes, slots, valid, rank, cut, 0, none, none)

    def start(self, count: int, noise: Noise | None = None) -> Latents:
        """Zeros, of graphs of random size."""
        device = self.sizes.share.device
        noise = noise or Noise(0, torch.arange(count, device=device))
        return self._zeros(self.sizes.sample(noise, -1), noise)

    def _zeros(self, valid: Tensor, noise: Noise) -> Latents:
        nodes = torch.zeros(*valid.shape, self.config.channels, device=valid.device)
        slots = nodes.new_zeros(len(valid), self.config.slots, self.config.channels)
        return self._aim(self._state(nodes, slots, valid, noise), 0)

    def trace(self, features: Latents, corrupt: Corrupt | None = None) -> Trace:
        """Quantise latents."""
        start = replace(
            features,
            nodes=torch.zeros_like(features.nodes),
            slots=torch.zeros_like(features.slots),
        )
        return self.unroll(start, lambda state, k: self.quantize(features, state, k), corrupt)

    def quantize(self, features: Latents, state: Latents, k: int) -> Quantized:
        """Bits (b, s or n, c) of what is missing."""
        missing = features.nodes - state.nodes if state.plane else features.slots
        found: Quantized = self.quantizers[state.plane](missing)
        return found

    def lookup(self, code: Tensor, k: int) -> Quantized:
        """Values of bits."""
        quantizer, nothing = cast(Bitwise, self.quantizers[self.plan[k][0]]), code.new_zeros(())
        return Quantized(quantizer.decode(code), code, nothing.float(), nothing.float())

    def digits(self, k: int) -> int:
        """Bits of a latent."""
        return self.config.channels

    def digit_values(self, k: int) -> int:
        """Of a bit."""
        return 2

    def add(self, state: Latents, value: Tensor, k: int) -> Latents:
        """State plus the values of the nodes that scale k reveals."""
        if state.plane:
            nodes = state.nodes + value * state.fresh[:, :, None]
            after = replace(state, nodes=nodes, known=state.known | state.fresh)
        else:
            nodes = self.expand(value.flatten(1))[:, None].expand_as(state.nodes)
            after = replace(state, slots=value, nodes=nodes)
        return self._aim(after, k + 1)

    def _aim(self, state: Latents, k: int) -> Latents:
        """Choose what scale k reveals."""
        if k == len(self.plan):
            return state
        plane, part, parts = self.plan[k]
        known = state.known if plane == state.plane else torch.zeros_like(state.known)
        size = state.valid.sum(1)
        goal = (size * part + parts - 1) // parts
        if self.halves and part < parts:
            goal = (state.cut * size).long()
        fresh = (state.rank < goal[:, None]) & state.valid & ~known
        return replace(state, plane=plane, known=known, fresh=fresh)

    def finish(self, state: Latents) -> GraphBatch:
        """Graphs of the likeliest labels."""
        nodes, edges = self.decoder(state.nodes, state.slots, state.valid)
        n = state.valid.shape[1]
        other = ~torch.eye(n, dtype=torch.bool, device=nodes.device)
        real = state.valid[:, :, None] & state.valid[:, None] & other
        return GraphBatch(nodes.argmax(2) * state.valid, edges.argmax(3) * real, state.valid)

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]`: cross-entropies of their labels.

        While training, some bits are flipped. "wrong" is the share of graphs with any label wrong.
        """
        graphs: GraphBatch = batch[0]
        trace = self.trace(self.features(graphs, noise))
        final = self._flipped(trace, noise) if self.training else trace.states[-1]
        nodes, edges = self.decoder(final.nodes, final.slots, final.valid)
        n = graphs.nodes.shape[1]
        i, j = torch.triu_indices(n, n, 1, device=nodes.device)
        real = graphs.valid[:, i] & graphs.valid[:, j]
        node_loss = F.cross_entropy(nodes[graphs.valid], graphs.nodes[graphs.valid])
        logits, labels = edges[:, i, j], graphs.edges[:, i, j]
        edge_loss = F.cross_entropy(logits[real], labels[real])
        wrong = ((nodes.argmax(2) != graphs.nodes) & graphs.valid).any(1)
        wrong = wrong | ((logits.argmax(2) != labels) & real).any(1)
        return {"loss": node_loss + 4 * edge_loss, "wrong": wrong.float().mean()}

    def _flipped(self, trace: Trace, noise: Noise) -> Latents:
        """The final state, with bits of nodes flipped at random, in each graph another share."""
        share = noise.uniform(-5) * self.config.corruption
        nodes = trace.states[-1].nodes
        for k, (state, choice) in enumerate(zip(trace.states, trace.chosen, strict=False)):
            if state.plane:
                flip = noise.uniform(k, *nodes.shape[1:]) < share[:, None, None]
                nodes = nodes - 2 * choice.value.detach() * (flip & state.fresh[:, :, None])
        final: Latents = replace(trace.states[-1], nodes=nodes)
        return final
