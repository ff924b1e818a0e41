"""Few-step distillation: a student predicts in one call what its teacher draws in several.

Progressive distillation (Salimans and Ho, 2022, arXiv 2202.00512) trains a diffusion student to do
in one step what its teacher does in two, and repeats that. Here a step is a scale: the student's
scale consists of consecutive scales k, ..., k + m - 1 of the teacher (`MergedTokenizer`). The
student learns the teacher's law of all their codes given the state s before the first,

    KL = E_s E_{c ~ p} [log p(c | s) - log q(c | s)],   p(c | s) = prod_j p(c_j | s_j),

with c drawn by the teacher. With targets="draws" the loss is -log q(c | s) of the draws. With
targets="laws" the teacher's distribution of each digit takes the draw's place,

    - sum_j sum_v p(v | s_j) log q(v | s, c_<j),

which has the same mean and less variance (knowledge distillation, arXiv 1503.02531). A student of
independent draws learns the product of the marginals and loses what the teacher's sequence knew; a
student whose digits know each other can hold the teacher's law exactly.

The teacher draws as it would sample: with guidance, the student learns the guided law without any
(Meng et al., 2023, arXiv 2210.03142), at half the cost of a call.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, get_args

import torch
from torch import Tensor, nn

from refine_core.embed import ContextT, StateT
from refine_core.errors import check_choice
from refine_core.heads.categorical import CategoricalHead, CodeDistribution
from refine_core.heads.distribution import Distribution
from refine_core.methods.students.merging import inherited, merged_scales
from refine_core.noise import Noise, Stream
from refine_core.sampling.settings import Sampling
from refine_core.schedule import per_scale
from refine_core.storage.checkpoint import load_matching
from refine_core.tokenizer import DataT, FeaturesT

if TYPE_CHECKING:
    from refine_core.refiner import Refiner

Targets = Literal["draws", "laws"]
"""What the student is told of the teacher: the codes that it drew, or also their distributions."""
States = Literal["data", "teacher"]
"""Where states before a scale come from: encoded data, or samples of the teacher."""


@dataclass(frozen=True)
class Lesson(Generic[StateT]):
    """What the teacher did in one scale of the student.

    Args:
        state: State before the scale, of b samples.
        code: (b, n, g) codes that the teacher drew.
        log_prob: (b,) their log-probability under the teacher, in nats.
        law: The teacher's distribution of each digit, given the draws before it; None where its
            head has no such thing.
    """

    state: StateT
    code: Tensor
    log_prob: Tensor
    law: CodeDistribution | None


class Distillation(nn.Module, Generic[DataT, FeaturesT, StateT, ContextT]):
    """Trains a student to sample as its teacher does, by `refine_core.training.fit`.

    The teacher is not among the module's parameters: checkpoints hold the student alone. Loss
    weights of the student and further losses of its methods are not used.

    Args:
        teacher: A trained refiner; its weights do not change.
        student: A refiner whose scales consist of consecutive scales of the teacher.
        sampling: How the teacher samples: one for all of its scales, or one each.
        targets: See `Targets`.
        states: See `States`. Those of the teacher need no data, but for the context.

    Raises:
        InputError: The scales do not fit together, or a setting is unknown.
    """

    def __init__(
        self,
        teacher: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        student: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        *,
        sampling: Sequence[Sampling] = (Sampling(),),
        targets: Targets = "laws",
        states: States = "data",
    ) -> None:
        super().__init__()
        check_choice("targets", targets, get_args(Targets))
        check_choice("states", states, get_args(States))
        many, few = teacher.tokenizer.schedule, student.tokenizer.schedule
        self.groups = merged_scales(many, few)
        self.sampling = per_scale("sampling", sampling, len(many))
        self.targets, self.states = targets, states
        self.student = student
        self._hidden = [teacher.eval()]  # a list hides it from parameters and checkpoints

    @property
    def teacher(self) -> "Refiner[DataT, FeaturesT, StateT, ContextT]":
        """The teacher."""
        return self._hidden[0]

    def forward(
        self, batch: tuple[DataT] | tuple[DataT, ContextT], noise: Noise
    ) -> dict[str, Tensor]:
        """Training losses of data `batch[0]` with context `batch[1]`, if there is one.

        "loss" is the mean over the "count" tokens; "bits" is the student's negative log-likelihood
        of the teacher's draws, per sample, and "gap" what it exceeds the teacher's own by: an
        estimate of the divergence above.
        """
        self.teacher.to(noise.index.device)
        context = batch[1] if len(batch) > 1 else None
        if context is not None and self.student.dropout:
            dropped = noise.uniform(Stream.CONTEXT_DROPOUT) < self.student.dropout
            context = self.student.embed.drop(context, dropped)
        lessons = self.lessons(batch[0], context, noise)
        dists = self.student.distributions([lesson.state for lesson in lessons], context)
        losses, bits, gaps, count = [], [], [], 0
        for lesson, dist in zip(lessons, dists, strict=True):
            digits = _given(dist, lesson.code)
            tokens = _tokens(dist if digits is None else digits, lesson, self.targets)
            found = dist.log_prob(lesson.code) if digits is None else digits.log_prob(lesson.code)
            losses.append(tokens.sum())
            bits.append(-found.detach().mean() / math.log(2))
            gaps.append((lesson.log_prob - found.detach()).mean() / math.log(2))
            count += tokens.numel()
        return {
            "loss": torch.stack(losses).sum() / count,
            "bits": torch.stack(bits).sum(),
            "gap": torch.stack(gaps).sum(),
            "count": torch.tensor(count),
        }

    @torch.no_grad()
    def lessons(self, x: DataT, context: ContextT | None, noise: Noise) -> list[Lesson[StateT]]:
        """What the teacher draws, one for each scale of the student."""
        return (self._from_data if self.states == "data" else self._from_samples)(
            x, context, noise
        )

    def _from_samples(
        self, x: DataT, context: ContextT | None, noise: Noise
    ) -> list[Lesson[StateT]]:
        """Lessons along samples of the teacher."""
        tokens, found = self.teacher.tokenizer, []
        call = self.teacher.caller(context, len(noise), guided=self._guided(context))
        state = tokens.start(len(noise), noise)
        for group in self.groups:
            drawn = []
            before = state
            for k in group:
                drawn.append(self._draw(call(state, k, self._weight(context, k)), noise, k))
                state = tokens.add(state, tokens.lookup(drawn[-1][0], k).value, k)
            found.append(_lesson(before, drawn))
        return found

    def _from_data(self, x: DataT, context: ContextT | None, noise: Noise) -> list[Lesson[StateT]]:
        """Lessons from the states of data, each group of scales by itself."""
        teacher, tokens = self.teacher, self.teacher.tokenizer
        corrupt = tokens.corruption(noise, teacher.corruption) if teacher.corruption else None
        states = tokens.trace(tokens.features(x, noise), corrupt).states[:-1]
        laws = teacher.distributions(states, context)
        if self._guided(context):
            free = teacher.distributions(states, None)
            pairs = zip(laws, free, range(len(laws)), strict=True)
            laws = [given.guided(other, self.sampling[k].guidance) for given, other, k in pairs]
        found = []
        for group in self.groups:
            before = state = states[group[0]]
            drawn = [self._draw(laws[group[0]], noise, group[0])]
            if len(group) > 1:
                call = teacher.caller(context, len(noise), guided=self._guided(context))
                for k in range(group[0] + 1):
                    call.skip(states[k], k)
            for k in group[1:]:
                state = tokens.add(state, tokens.lookup(drawn[-1][0], k - 1).value, k - 1)
                drawn.append(self._draw(call(state, k, self._weight(context, k)), noise, k))
            found.append(_lesson(before, drawn))
        return found

    def _draw(
        self, dist: Distribution, noise: Noise, k: int
    ) -> tuple[Tensor, Tensor, CodeDistribution | None]:
        """A code of the teacher's scale k, its log-probability, and the law of its digits."""
        how = self.sampling[k]
        dist = dist.sharpened(how.temperature, how.top_k, how.top_p)
        code = dist.sample(noise.fork(k))
        digits = _given(dist, code)
        return code, (dist if digits is None else digits).log_prob(code), digits

    def _guided(self, context: ContextT | None) -> bool:
        return context is not None and any(scale.guidance for scale in self.sampling)

    def _weight(self, context: ContextT | None, k: int) -> float:
        return self.sampling[k].guidance if context is not None else 0.0


def start_from_teacher(
    student: "Refiner[DataT, FeaturesT, StateT, ContextT]",
    teacher: "Refiner[DataT, FeaturesT, StateT, ContextT]",
) -> list[str]:
    """Give a student its teacher's weights, as far as they fit.

    Returns:
        Names of the student's parameters that stay as they are, such as those of another head.

    Raises:
        InputError: The student's scales do not consist of those of the teacher.
    """
    groups = merged_scales(teacher.tokenizer.schedule, student.tokenizer.schedule)
    weights = inherited(teacher.state_dict(), groups)
    added = getattr(student.head, "base", None) is not None
    if added and isinstance(teacher.head, CategoricalHead):
        # A head that adds to an independent one has the teacher's as its base.
        weights = {_based(name): tensor for name, tensor in weights.items()}
    left = load_matching(student, weights)
    return [name for name in left if not name.startswith("tokenizer.")]


def _based(name: str) -> str:
    """Name of a head's weight where the head is the base of another."""
    return re.sub(r"^head\.", "head.base.", name)


def _given(dist: Distribution, code: Tensor) -> CodeDistribution | None:
    """Distribution of each digit given those before it in a code, where a head has it."""
    if isinstance(dist, CodeDistribution):
        return dist
    given = getattr(dist, "given", None)
    return None if given is None else given(code)


def _tokens(dist: Distribution, lesson: Lesson[StateT], targets: Targets) -> Tensor:
    """Loss (b, n) of each token."""
    if targets == "draws" or lesson.law is None or not isinstance(dist, CodeDistribution):
        return -dist.token_log_prob(lesson.code)
    law = lesson.law.logits.float().softmax(-1)
    tokens = -(law * dist.logits.float().log_softmax(-1)).sum((2, 3))
    return tokens if dist.valid is None else torch.where(dist.valid, tokens, 0)


def _lesson(
    state: StateT, drawn: Sequence[tuple[Tensor, Tensor, CodeDistribution | None]]
) -> Lesson[StateT]:
    """One lesson of the draws of several scales."""
    codes, found, laws = zip(*drawn, strict=True)
    law = None
    if all(each is not None for each in laws):
        law = CodeDistribution(torch.cat([each.logits for each in laws], 1))
    return Lesson(state, torch.cat(codes, 1), torch.stack(found).sum(0), law)
