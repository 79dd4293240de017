"""Finds every message and reason that the package can give, by reading its code.

A message is a literal or an f-string; each value that is filled in counts as `…`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "dense_reloc_ros"
GAP = "…"
ERRORS = {
    "RelocError",
    "InputError",
    "MapError",
    "ConfigurationError",
    "TrainingError",
    "TransformError",
    "TimeLimitError",
    "ValueError",
    "ArgumentTypeError",
}
CARRIERS = {"Localization", "RelocResult", "SetParametersResult"}
"""Calls whose strings are what somebody is told: statuses with their reasons."""
REPORTS = {*("warning", "error", "problem", "_forget", "_lose", "_begin_anew", "_decide")}
"""Methods that log or report what they are given."""
NAMES = {
    *("reason", "reason_to_doubt", "UNLIKELY", "said", "problem", "complaint", "state"),
    *("image_problem", "info_problem", "loss_problem", "tf_problem", "output_problem", "silence"),
    *(
        "unknown_name",
        "_reason_to_give_up",
        "_reason_for_doubt",
        "_reason_to_choose_none",
        "problem_of",
    ),
    *("NO_POSE", "TIME_JUMPED", "OTHER_MAP", "UNKNOWN_MOUNT"),
    *("ASKED_TO_FORGET", "NOT_ACTIVE", "DEACTIVATED"),
}
"""Variables and functions that hold a reason until it is given."""


def messages() -> dict[str, set[str]]:
    """Each message with `…` for what is filled in, and the files that give it."""
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        for expression in expressions(ast.parse(path.read_text())):
            for text in templates(expression):
                if len(text.split()) > 2 and re.search(r"[a-z]{2}", text):  # not just a part
                    found.setdefault(text, set()).add(str(path.relative_to(SOURCES)))
    return found


def expressions(tree: ast.AST) -> Iterator[ast.expr]:
    """What is raised, reported, or kept as a reason."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if called(node) in ERRORS | CARRIERS | REPORTS:
                yield from node.args
            yield from (k.value for k in node.keywords if k.arg in NAMES)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(name(target) in NAMES for target in targets):
                yield node.value
        elif isinstance(node, ast.FunctionDef) and node.name in NAMES:
            returns = (inner for inner in ast.walk(node) if isinstance(inner, ast.Return))
            yield from (found.value for found in returns if found.value is not None)


def templates(expression: ast.expr) -> Iterator[str]:
    """The texts that an expression can be: more than one where a condition chooses."""
    match expression:
        case ast.Constant(value=str(text)):
            yield re.sub(r"%\w", GAP, text)
        case ast.JoinedStr(values=parts):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else GAP for p in parts)
            for part in parts:
                if isinstance(part, ast.FormattedValue):
                    yield from templates(part.value)
        case ast.IfExp(body=first, orelse=second):
            yield from templates(first)
            yield from templates(second)
        case ast.BoolOp(values=alternatives):
            for alternative in alternatives:
                yield from templates(alternative)


def called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    return name(call.func)


def name(expression: ast.expr) -> str:
    """The last part of a name, empty for anything else."""
    match expression:
        case ast.Name(id=text) | ast.Attribute(attr=text):
            return text
    return ""
