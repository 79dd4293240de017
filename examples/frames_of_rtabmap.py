"""The images and poses of an RTAB-Map database, for `dense-reloc map build --seven-scenes`.

First: rtabmap-export --images_id --poses_camera --poses_format 11 \\
           --output office --output_dir EXPORT map.db
Then:  python frames_of_rtabmap.py EXPORT/office FRAMES
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

export, frames = sys.argv[1], Path(sys.argv[2])
frames.mkdir(parents=True, exist_ok=True)
count = 0
for line in Path(f"{export}_camera_poses.txt").read_text().splitlines():
    if line.startswith("#") or not line.strip():
        continue
    *_, x, y, z, qx, qy, qz, qw, node = map(float, line.split())  # a stamp comes first
    image, depth = (Path(f"{export}_{kind}") / f"{node:.0f}" for kind in ("rgb", "depth"))
    if not image.with_suffix(".jpg").exists():
        continue  # a landmark
    T_map_camera = np.eye(4)
    T_map_camera[:3, :3] = Rotation.from_quat([qx, qy, qz, qw]).as_matrix()
    T_map_camera[:3, 3] = x, y, z
    name = f"frame-{node:06.0f}"  # rtabmap_bridge finds the node by the number in it
    shutil.copy(image.with_suffix(".jpg"), frames / f"{name}.color.jpg")
    if depth.with_suffix(".png").exists():
        shutil.copy(depth.with_suffix(".png"), frames / f"{name}.depth.png")
    np.savetxt(frames / f"{name}.pose.txt", T_map_camera)
    count += 1
print(f"{frames}: {count} frames; the intrinsics are in {export}_calib")
