"""Writes parts of config/reloc.yaml anew from the fields of the configurations."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

PARAMETER_FILE = Path(__file__).parents[1] / "config" / "reloc.yaml"
HEADING = "    # --- {}; all of it may change while the node runs. ---\n"
PARTS = {"The localizer": LocalizerConfiguration, "The fusion": TemporalConfiguration}
"""What the parts are called, and whose fields they list."""
WIDTH = 96


def main() -> None:
    """Leaves everything else as it is: a part goes from its heading to the next node or the end."""
    text = PARAMETER_FILE.read_text()
    for title, model in PARTS.items():
        heading = HEADING.format(title)
        above, _, below = text.partition(heading)
        rest = re.search(r"^\S", below, re.MULTILINE)
        lines = [f"{line}\n" for line in parameter_lines(model, " " * 4)]
        text = above + heading + "".join(lines)
        if rest is not None:
            text += "\n" + below[rest.start() :]
    PARAMETER_FILE.write_text(text)


def parameter_lines(model: type[BaseModel], indent: str) -> Iterator[str]:
    """Each field with its description above it; those that are unset by default commented out."""
    for name, field in model.model_fields.items():
        block = field.annotation
        if isinstance(block, type) and issubclass(block, BaseModel):
            yield from comment((block.__doc__ or "").partition("\n")[0], indent)
            lines = list(parameter_lines(block, indent + "  "))
            # A block without any value would be null, which is no parameter.
            is_unset = all(line.lstrip().startswith("#") for line in lines)
            yield f"{indent}{'# ' if is_unset else ''}{name}:"
            yield from lines
        else:
            yield from comment(field.description or "", indent)
            default = field.get_default(call_default_factory=True)
            if default is None:
                yield f"{indent}# {name}:"
            else:
                yield f"{indent}{name}: {json.dumps(default)}"


def comment(text: str, indent: str) -> list[str]:
    """Lines of a comment."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


if __name__ == "__main__":
    main()
