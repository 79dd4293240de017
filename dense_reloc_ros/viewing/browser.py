"""A scene in the browser, served by viser."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.evaluation.report.plots import vertical_axis
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.viewing.scene_items import Frustum, Item, Lines, Points

FRUSTUM = 0.025
POINT = 0.0015
DOT = 0.006
"""Sizes as shares of the size of what is seen; dots are poses."""
LINE = 1.5
"""Pixels."""


class Browser:
    """Serves a scene over HTTP until it is closed.

    Raises:
        ConfigurationError: viser is not installed.
        InputError: the address cannot be served.
    """

    def __init__(self, host: str, port: int, title: str) -> None:
        """Serves at a port of an address of this computer, or the next one that is free."""
        viser = _viser()
        try:
            # It announces itself on stdout, with an address that does not lead here.
            with contextlib.redirect_stdout(io.StringIO()):
                self.server = viser.ViserServer(host=host, port=port, label=title, verbose=False)
        except (OSError, RuntimeError) as error:
            raise InputError(f"{host}:{port}: the view cannot be served: {error}") from None
        self.server.gui.configure_theme(show_share_button=False)
        self._host = host
        self._size = 1.0

    @property
    def address(self) -> str:
        """What to open in a browser."""
        host = "localhost" if self._host in ("0.0.0.0", "127.0.0.1") else self._host
        return f"http://{host}:{self.server.get_port()}"

    def look_at(self, positions: FloatArray, camera_poses: FloatArray) -> None:
        """Puts the eye so that it sees points (N, 3), upright as the cameras (K, 4, 4) were."""
        low, high = np.percentile(positions, [5, 95], axis=0)
        self._size = max(float(np.linalg.norm(high - low)), 1e-3)
        axis, sign = vertical_axis(camera_poses)
        up = np.zeros(3)
        up[axis] = sign
        aside = np.roll(up, 1) + 0.7 * np.roll(up, 2)
        eye = (low + high) / 2 + self._size * (0.5 * np.abs(aside) + 0.6 * up)
        self.server.scene.set_up_direction(tuple(up.tolist()))
        camera = self.server.initial_camera
        camera.up = tuple(up.tolist())
        camera.look_at = tuple(((low + high) / 2).tolist())
        camera.position = tuple(eye.tolist())

    def show(self, items: Sequence[Item]) -> dict[str, Any]:
        """Adds items, instead of earlier ones of the same names; viser's handles by these names."""
        with self.server.atomic():
            return {item.name: self._add(item) for item in items}

    def _add(self, item: Item) -> Any:
        scene = self.server.scene
        if isinstance(item, Points):
            of_map = item.name.startswith("/map/")
            return scene.add_point_cloud(
                item.name,
                points=np.asarray(item.positions, dtype=np.float32),
                colors=item.colours,
                point_size=self._size * (POINT if of_map else DOT),
                point_shape="circle",
                point_shading="flat",
                precision="float32",
            )
        if isinstance(item, Lines):
            return scene.add_line_segments(
                item.name,
                points=np.asarray(item.segments, dtype=np.float32),
                colors=item.colour,
                thickness=LINE,
                thickness_units="screen",
            )
        return self._add_frustum(item)

    def _add_frustum(self, item: Frustum) -> Any:
        camera = item.camera
        x, y, z, w = Rotation.from_matrix(item.T_map_camera[:3, :3]).as_quat()
        return self.server.scene.add_camera_frustum(
            item.name,
            fov=2 * math.atan2(camera.height / 2, camera.fy),
            aspect=camera.width / camera.height,
            scale=self._size * FRUSTUM * (1.0 if item.name.startswith("/map/") else 2.0),
            thickness=LINE,
            thickness_units="screen",
            color=item.colour,
            image=item.image,
            wxyz=(w, x, y, z),
            position=item.T_map_camera[:3, 3],
        )

    def serve(self) -> None:
        """Waits until Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            self.server.sleep_forever()

    def close(self) -> None:
        """Ends the server."""
        with contextlib.redirect_stdout(io.StringIO()):
            self.server.stop()


def _viser() -> Any:
    try:
        import viser
    except ImportError:
        raise ConfigurationError("a view in the browser takes viser: pip install viser") from None
    return viser
