"""The page of the nodes' parameters, from the configurations that they are declared by."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.nodes import node_configuration as nodes
from dense_reloc_ros.nodes.bridges import bridge_configuration as bridges
from dense_reloc_ros.parameter_blocks import fields
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from tools.reference.markdown import code, page, table

INTRODUCTION = """\
`config/reloc.yaml` lists those of the first two nodes with their defaults; copy it, change the
copy, and name it with `params_file:=…`. `ros2 param describe /relocalizer NAME` says the range of
each. The same names, nested, are what `dense-reloc localize --config` reads (the localizer's only).
"""
LOCALIZER = """\
All of these may change while the node runs, also by `ros2 param set`; the files of weights are read
when a map is loaded.
"""
FUSION = """\
In a process of its own (`fusion_process:=separate`) the node also has `map`, `method`, `device` and
the parameters of the localizer: give it the values of the relocalizer.
"""
BRIDGES: dict[str, type[BaseModel]] = {
    "## Node `rtabmap_bridge`": bridges.RtabmapConfiguration,
    "## Node `initial_pose_bridge`": bridges.InitialPoseConfiguration,
    "## Node `robot_localization_bridge`": bridges.RobotLocalizationConfiguration,
    "## Node `autoware_bridge`": bridges.AutowareConfiguration,
}
BOUNDS: dict[type[Any], tuple[str, str]] = {
    Ge: ("≥", "ge"),
    Gt: (">", "gt"),
    Le: ("≤", "le"),
    Lt: ("<", "lt"),
}


def parameters_page() -> str:
    """The parameters of both nodes."""
    return page(
        "Parameters",
        INTRODUCTION,
        "## Node `relocalizer`",
        parameter_table(nodes.RelocalizerConfiguration),
        "## The localizer",
        LOCALIZER,
        parameter_table(LocalizerConfiguration),
        "## Node `temporal_fusion`",
        FUSION,
        parameter_table(nodes.FusionConfiguration, TemporalConfiguration),
        *(part for name, model in BRIDGES.items() for part in (name, parameter_table(model))),
    )


def parameter_table(*models: type[BaseModel]) -> str:
    """A row for each value of these models, nested ones by their dotted names."""
    rows = []
    for model in models:
        for name, field in fields(model):
            default = field.get_default(call_default_factory=True)
            shown = "unset" if default is None else code(json.dumps(default))
            when = "at the start" if name == "autostart" else ""
            when = "while unconfigured" if name in nodes.NEEDS_CONFIGURE else when
            text = f"{field.description or ''}{f' (read {when})' if when else ''}"
            rows.append((code(name), shown, code(allowed(field)), text))
    return table(["name", "default", "allowed", "meaning"], rows)


def allowed(field: FieldInfo) -> str | None:
    """The choices or the range of a value, None where anything of its type is."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if get_origin(kind) is Literal:
            return ", ".join(map(str, get_args(kind)))
    bounds = [
        f"{sign} {getattr(constraint, attribute):g}"
        for constraint in field.metadata
        for kind, (sign, attribute) in BOUNDS.items()
        if isinstance(constraint, kind)
    ]
    return ", ".join(bounds) or None
