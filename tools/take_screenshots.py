"""Takes the pictures of pages in the documentation: `make screenshots`, after `make demo`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.frames import read_frames
from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.report.frame_results import read_frame_outcomes
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.mapping.map_of_source import image_of
from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
from dense_reloc_ros.nodes.debug_image import draw_localization
from dense_reloc_ros.rendering.demonstration import DemonstrationFolder
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.viewing.browser import Browser
from dense_reloc_ros.viewing.views import ReportView, map_of_report
from tools.screenshot import Page, open_page

ASSETS = Path(__file__).parents[1] / "docs" / "assets"
WIDTH, HEIGHT = 1180, 720
PANEL = "document.body && document.body.innerText.includes('keyframes')"
"""Whether the view has got its texts, which come after the scene."""
CLOSE_NOTICES = (
    "document.querySelectorAll('.mantine-Notification-closeButton').forEach(b => b.click())"
)
SPACE = "document.getElementById('space-text') && document.getElementById('space-text').textContent"
MOST_PICTURES = 60
FRAME = 40
"""Of the video, whose debug image is drawn."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes `view.png`, `space.png` and `debug_image.jpg` from the report of the demonstration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, help="folder of the demonstration's report")
    parser.add_argument("--output", type=Path, default=ASSETS, help="folder of the pictures")
    options = parser.parse_args(arguments)
    with open_page(WIDTH, HEIGHT) as page:
        (options.output / "view.png").write_bytes(picture_of_view(page, options.report))
        page.open((options.report / "report.html").resolve().as_uri(), SPACE)
        page.value("document.getElementById('space').previousElementSibling.scrollIntoView()")
        (options.output / "space.png").write_bytes(still(page))
    cv2.imwrite(str(options.output / "debug_image.jpg"), debug_image(options.report.parent))
    return 0


def debug_image(demonstration: Path) -> NDArray[np.uint8]:
    """What ~/debug_image shows of a frame of the demonstration, whose map has its images; BGR."""
    folder = DemonstrationFolder(demonstration)
    localizer = open_localizer(folder.map, LocalizerConfiguration())
    with BagReader(folder.bag) as bag:
        frame = read_frames(bag)[FRAME]
        image = frame.load_image()
    found = localizer.localize(image, frame.camera)
    keyframes = read_seven_scenes(folder.mapping, load_camera_info(folder.camera_info))
    scene_map = replace(localizer.scene_map, images=image_of(localizer.scene_map, keyframes))
    drawing = draw_localization(image, frame.camera, found, scene_map)
    return np.ascontiguousarray(drawing[..., ::-1])


def picture_of_view(page: Page, report: Path) -> bytes:
    """`dense-reloc view REPORT`, as a browser shows it."""
    browser = Browser("127.0.0.1", 8080, "dense-reloc view")
    try:
        ReportView(browser, load_map(map_of_report(report)[0]), read_frame_outcomes(report))
        page.open(browser.address, PANEL)
        page.value(CLOSE_NOTICES)
        return still(page)
    finally:
        browser.close()


def still(page: Page) -> bytes:
    """The picture of a page that no longer changes."""
    last, seen = b"", page.picture()
    for _ in range(MOST_PICTURES):
        if seen == last:
            break
        time.sleep(1.0)
        last, seen = seen, page.picture()
    return seen


if __name__ == "__main__":
    raise SystemExit(main())
