"""Writes the localizer's part of config/reloc.yaml anew from the fields of its configuration."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from dense_reloc_ros.configuration import LocalizerConfiguration

PARAMETER_FILE = Path(__file__).parents[1] / "config" / "reloc.yaml"
HEADING = "    # --- The localizer; all of it may change while the node runs. ---\n"
WIDTH = 96


def main() -> None:
    """Leaves everything above the heading as it is."""
    above = PARAMETER_FILE.read_text().partition(HEADING)[0]
    lines = parameter_lines(LocalizerConfiguration, " " * 4)
    PARAMETER_FILE.write_text(above + HEADING + "".join(f"{line}\n" for line in lines))


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
