"""The page of `report.json`, from the model that it is written from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel

from dense_reloc_ros.evaluation.metrics.accuracy import Accuracy
from dense_reloc_ros.evaluation.report.run_summary import RunInformation, Summary
from tools.reference.markdown import attribute_texts, code, page, table

INTRODUCTION = """\
`dense-reloc localize` and `dense-reloc replay` write `report.json`. What needs a ground truth is
null where there is none. [Reading the report](../guides/report.md) explains the numbers.
"""


def report_page() -> str:
    """All keys, also those of the parts."""
    rows = [(code(key), kind, text) for key, kind, text in keys(Summary)]
    return page("Keys of report.json", INTRODUCTION, table(["key", "type", "meaning"], rows))


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """The dotted name, type and meaning of each key."""
    texts = attribute_texts(model)
    if model is Summary:
        texts = attribute_texts(RunInformation) | attribute_texts(Accuracy) | texts
    for name, field in model.model_fields.items():
        yield prefix + name, type_name(field.annotation), texts.get(name, "")
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                of_each = "" if kind in (field.annotation, *optional(field.annotation)) else "…."
                yield from keys(kind, f"{prefix}{name}.{of_each}")


def optional(annotation: object) -> tuple[object, ...]:
    """The types of a value that may be null; none for lists and tables of values."""
    arguments = get_args(annotation)
    return arguments if type(None) in arguments else ()


def type_name(annotation: object) -> str:
    """A type as a reader of JSON calls it."""
    if annotation in (int, float):
        return "number"
    if annotation is str:
        return "text"
    arguments = get_args(annotation)
    if type(None) in arguments:
        (kind,) = (argument for argument in arguments if argument is not type(None))
        return f"{type_name(kind)} or null"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "object"
    origin = getattr(annotation, "__origin__", None)
    return "object" if origin is dict else "list"
