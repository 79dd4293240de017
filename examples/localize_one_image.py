"""Localizes one image: python localize_one_image.py MAP IMAGE CAMERA_INFO.yaml"""

import sys
from pathlib import Path

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.images.image_file import read_rgb
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info

map_path, image_path, camera_path = map(Path, sys.argv[1:])
localizer = open_localizer(map_path, LocalizerConfiguration())
result = localizer.localize(read_rgb(image_path), load_camera_info(camera_path))
if result.is_localized:
    print(f"{result.status}, score {result.estimate.score:.2f}")
    print(result.T_map_camera)
else:
    print(f"{result.status}: {result.reason}")
