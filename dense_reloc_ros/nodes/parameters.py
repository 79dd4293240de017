"""ROS parameters from pydantic models: names, descriptions, ranges and checks are the fields' own.

A nested model becomes a dotted name (`retrieval.keyframes`). A field that may be None is a
parameter that may be unset.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.parameter_blocks import fields, first_refusal, unknown_name

Model = TypeVar("Model", bound=BaseModel)
OF_RCLPY = ("qos_overrides.", "use_sim_time", "start_type_description_service")
"""Parameters that rclpy declares itself, some of them later."""
LARGEST_INTEGER = 2**63 - 1
LARGEST_FLOAT = 1.7976931348623157e308


def declare_parameters(node: Node, model: type[BaseModel], read_only: Iterable[str] = ()) -> None:
    """Declares a parameter for each field of a model, with its default.

    Raises:
        rclpy.exceptions.ParameterException: a value given at start is of another type or out of
            range.
    """
    for name, info in fields(model):
        default = info.get_default(call_default_factory=True)
        if isinstance(default, tuple):
            default = list(default)
        node.declare_parameter(name, default, descriptor(info, read_only=name in read_only))


def check_names(node: Node, models: Iterable[type[BaseModel]]) -> None:
    """Checks that every parameter given at start is one that the node declares.

    Parameters of the wildcard node (`/**`) reach every node, and nodes in one process share the
    command line: names of the package's other node are let pass.

    Raises:
        ConfigurationError: an unknown name; says which known one it resembles.
    """
    known = {name for model in models for name, _ in fields(model)}
    # rclpy has no public way to ask for what was given but not declared.
    for name in node._parameter_overrides:
        if node.has_parameter(name) or name in known or name.startswith(OF_RCLPY):
            continue
        raise ConfigurationError(unknown_name(name, known))


def read_parameters(node: Node, model: type[Model], changes: Iterable[Parameter] = ()) -> Model:
    """The model with the values that the node's parameters have, or would have after changes.

    Raises:
        ConfigurationError: a combination that the model refuses; names the parameter.
    """
    changed = {parameter.name: parameter.value for parameter in changes}
    values: dict[str, Any] = {}
    for name, info in fields(model):
        value = changed.get(name, node.get_parameter(name).value)
        *blocks, last = name.split(".")
        block = values
        for part in blocks:
            block = block.setdefault(part, {})
        block[last] = tuple(value) if isinstance(info.default, tuple) else value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(first_refusal(error, model)) from None


def descriptor(info: FieldInfo, read_only: bool = False) -> ParameterDescriptor:
    """What a field says of its parameter: description, choices, range, whether it may be unset."""
    types = get_args(info.annotation)
    result = ParameterDescriptor(
        description=info.description or "",
        read_only=read_only,
        dynamic_typing=get_origin(info.annotation) in (Union, UnionType),
    )
    if get_origin(info.annotation) is Literal:
        result.additional_constraints = "one of: " + ", ".join(map(str, types))
    bounds = _bounds(info)
    if bounds is None:
        return result
    lowest, highest = bounds
    if info.annotation is int:
        first = -LARGEST_INTEGER if lowest is None else int(lowest)
        last = LARGEST_INTEGER if highest is None else int(highest)
        result.integer_range = [IntegerRange(from_value=first, to_value=last)]
    elif float in (info.annotation, *types):
        first_float = -LARGEST_FLOAT if lowest is None else float(lowest)
        last_float = LARGEST_FLOAT if highest is None else float(highest)
        result.floating_point_range = [
            FloatingPointRange(from_value=first_float, to_value=last_float)
        ]
    return result


def _bounds(info: FieldInfo) -> tuple[float | None, float | None] | None:
    """The lowest and highest value of a field, None for each that is open; None without bounds.

    ROS ranges include their ends: an excluded end is left to the model's own check.
    """
    lowest: Any = None
    highest: Any = None
    for constraint in info.metadata:
        if isinstance(constraint, Ge):
            lowest = constraint.ge
        elif isinstance(constraint, Gt):
            lowest = constraint.gt
        elif isinstance(constraint, Le):
            highest = constraint.le
        elif isinstance(constraint, Lt):
            highest = constraint.lt
    return None if lowest is None and highest is None else (lowest, highest)
