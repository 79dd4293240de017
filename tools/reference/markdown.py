"""Markdown as the reference pages need it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Sequence
from itertools import pairwise

NOTICE = "<!-- Written by `make reference`; change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A page with its title."""
    return "\n\n".join([NOTICE, f"# {title}", *(part.strip() for part in parts)]) + "\n"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars and line breaks in its cells are escaped."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(text: str) -> str:
    """Text that stays in one cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(value: object) -> str:
    """A value in code style, empty for None."""
    return "" if value is None else f"`{value}`"


def attribute_texts(kind: type) -> dict[str, str]:
    """What stands under each attribute of a class, and of those that it inherits from."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for attribute, text in pairwise(body):
            if (
                isinstance(attribute, ast.AnnAssign)
                and isinstance(attribute.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                texts[attribute.target.id] = text.value.value
    return texts
