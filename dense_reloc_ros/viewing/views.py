"""Maps and reports in the browser."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.report.frame_results import (
    FRAMES_FILE,
    FrameOutcome,
)
from dense_reloc_ros.evaluation.report.run_summary import Summary
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.viewing.browser import Browser
from dense_reloc_ros.viewing.scene_items import (
    KEYFRAME,
    PUBLISHED,
    frame_items,
    keyframe_item,
    map_items,
    run_items,
)

logger = logging.getLogger(__name__)

REPORT_FILE = "report.json"
LEGEND = (
    "Dots: <span style='color:#404040'>truth</span>, <span style='color:#0072B2'>published</span>, "
    "<span style='color:#B2182B'>wrong</span>, <span style='color:#E69F00'>withheld</span>. "
    "Lines lead from a pose to its truth."
)


def is_report(folder: Path) -> bool:
    """Whether `localize` or `replay` wrote the folder."""
    return (folder / REPORT_FILE).is_file() or (folder / FRAMES_FILE).is_file()


def map_of_report(folder: Path) -> tuple[Path, str]:
    """The folder of the map that a report is about, and the map's revision.

    Raises:
        InputError: no report.
    """
    file = folder / REPORT_FILE
    try:
        content = Summary.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        raise InputError(f"{file}: not the numbers of a report") from None
    return Path(content.map), content.map_revision


class MapView:
    """The points and keyframes of a map; a click on a keyframe says which one it is."""

    def __init__(self, browser: Browser, scene_map: SceneMap) -> None:
        self._browser = browser
        self._map = scene_map
        poses = scene_map.keyframe_poses.numpy()
        browser.look_at(np.concatenate([scene_map.points.numpy(), poses[:, :3, 3]]), poses)
        self.handles = browser.show(map_items(scene_map))
        gui = browser.server.gui
        counts = f"{scene_map.keyframe_count} keyframes, {len(scene_map.points)} points"
        gui.add_markdown(f"Map `{scene_map.information.revision}`: {counts}")
        self.text = gui.add_markdown("Click a keyframe to see which it is.")
        self._picture: Any = None
        for keyframe in range(scene_map.keyframe_count):
            self.handles[keyframe_item(keyframe)].on_click(
                lambda _, keyframe=keyframe: self.tell(keyframe)
            )

    def tell(self, keyframe: int) -> None:
        """Shows name, position and image of a keyframe beside the scene."""
        x, y, z = self._map.keyframe_poses[keyframe, :3, 3].numpy() + self._map.origin
        name = self._map.information.keyframe_names[keyframe]
        self.text.content = f"Keyframe {keyframe}, `{name}`, at ({x:.2f}, {y:.2f}, {z:.2f}) m"
        if self._map.images is None:
            return
        image = self._map.images(keyframe)
        if self._picture is None:
            self._picture = self._browser.server.gui.add_image(image)
        else:
            self._picture.image = image

    def mark(self, keyframes: Sequence[int]) -> None:
        """Colours some keyframes, and no others."""
        for keyframe in range(self._map.keyframe_count):
            colour = PUBLISHED if keyframe in keyframes else KEYFRAME
            handle = self.handles[keyframe_item(keyframe)]
            if tuple(handle.color) != colour:
                handle.color = colour


class ReportView:
    """The poses of a report in its map, with a slider for one frame after the other."""

    def __init__(
        self, browser: Browser, scene_map: SceneMap, outcomes: Sequence[FrameOutcome]
    ) -> None:
        """Shows the frames of a report.

        Raises:
            InputError: no frames.
        """
        if not outcomes:
            raise InputError("the report has no frames to show")
        self._browser = browser
        self._map = scene_map
        self._outcomes = outcomes
        self._shown: dict[str, Any] = {}
        gui = browser.server.gui
        gui.add_markdown(LEGEND)
        last = max(len(outcomes) - 1, 1)
        self.slider = gui.add_slider("Frame", min=0, max=last, step=1, initial_value=0)
        self.text = gui.add_markdown("")
        self.map_view = MapView(browser, scene_map)
        browser.show(run_items(outcomes, scene_map.origin))
        self.slider.on_update(lambda _: self.turn_to(int(self.slider.value)))
        self.turn_to(0)

    def turn_to(self, index: int) -> None:
        """Shows one frame: its poses, the keyframes it was localized against, what became of it."""
        outcome = self._outcomes[min(index, len(self._outcomes) - 1)]
        for handle in self._shown.values():
            handle.remove()
        camera = self._map.cameras[0]
        self._shown = self._browser.show(frame_items(outcome, self._map.origin, camera))
        known = [k for k in outcome.keyframes if k < self._map.keyframe_count]
        self.map_view.mark(known)
        if known:
            self.map_view.tell(known[0])
        self.text.content = describe(outcome)


def describe(outcome: FrameOutcome) -> str:
    """What became of a frame, as Markdown."""
    lines = [f"**{outcome.name}**: {outcome.status or 'no answer'}"]
    if outcome.reason:
        lines.append(outcome.reason)
    if outcome.translation_error_m is not None and outcome.rotation_error_deg is not None:
        kind = "wrong by" if outcome.is_wrong else "off by"
        lines.append(
            f"{kind} {100 * outcome.translation_error_m:.1f} cm, {outcome.rotation_error_deg:.2f}°"
        )
    if outcome.confidence is not None:
        lines.append(f"confidence {outcome.confidence:.3f}")
    if outcome.keyframes:
        lines.append("keyframes " + ", ".join(map(str, outcome.keyframes)))
    return "  \n".join(lines)


def warn_of_another_map(scene_map: SceneMap, revision: str) -> None:
    """Says so where a report is about another revision of the map."""
    found = scene_map.information.revision
    if found != revision:
        logger.warning("the report is about map revision %s, this is %s", revision, found)
