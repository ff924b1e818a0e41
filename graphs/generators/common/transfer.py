"""Names of labels and properties, by which weights of one model fit another."""

from dataclasses import dataclass

from graphs.data.batch import Vocabulary


@dataclass(frozen=True)
class Names:
    """Names that rows and columns of a model's weights stand for.

    Args:
        vocabulary: Labels of nodes and edges.
        properties: Properties of the context.
    """

    vocabulary: Vocabulary
    properties: tuple[str, ...] = ()
