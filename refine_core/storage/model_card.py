"""The README.md beside a shared model: what it is, and the code that loads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FILE = "README.md"
TEMPLATE = """---
library_name: refine
tags:
{tags}
---

# {title}

{summary}

## Use

```
pip install 'refine[{domain}]'
```

```python
{code}
```

## What it is

| | |
|---|---|
{facts}

## How it was trained

```yaml
{config}
```
"""


@dataclass(frozen=True)
class ModelCard:
    """What a card says of a model.

    Args:
        title: Name of the model.
        summary: What it does, in a sentence.
        domain: The extra of Refine that it needs.
        code: Python that loads the model from the folder that is the current one, and uses it.
        facts: Rows of a table.
        tags: Words by which the model is found.
    """

    title: str
    summary: str
    domain: str
    code: str
    facts: Mapping[str, object]
    tags: tuple[str, ...] = field(default=())

    def markdown(self, config: str) -> str:
        """The card, with a header as model hubs read it.

        Args:
            config: The model's config, as YAML.
        """
        return TEMPLATE.format(
            tags="\n".join(f"- {tag}" for tag in ("refine", self.domain, *self.tags)),
            title=self.title,
            summary=self.summary,
            domain=self.domain,
            code=self.code.strip(),
            facts="\n".join(f"| {name} | {value} |" for name, value in self.facts.items()),
            config=config.strip(),
        )
