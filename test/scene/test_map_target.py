"""A killed writer leaves the old map or the new one, and nothing that the next one leaves there."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from scene.small_map import make_map

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene import map_target
from dense_reloc_ros.scene.map_target import claimed
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.writer import write_map

KILLS = int(os.environ.get("DENSE_RELOC_KILLS", "10"))
"""By hand more: DENSE_RELOC_KILLS=100."""
FIRST, SECOND = make_map(seed=0, points=400), make_map(seed=1, points=400)


def picture(keyframe: int) -> np.ndarray:
    return np.full((48, 64, 3), keyframe, np.uint8)


def put(path: Path, scene_map: SceneMap) -> str:
    return write_map(path, scene_map, picture).revision


@contextmanager
def process(work: Callable[[], object]) -> Iterator[int]:
    """The id of a child that does some work until it is killed."""
    child = os.fork()
    if not child:
        try:
            while True:
                work()
        finally:
            os._exit(1)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def without_exchange(*_: Path) -> bool:
    return False


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_writer_killed_at_any_moment_leaves_one_of_two_whole_maps(
    tmp_path, can_exchange, monkeypatch
):
    if not can_exchange:  # as on NFS: then the next writer brings back what stepped aside
        monkeypatch.setattr(map_target, "_exchange", without_exchange)
    path, chance = tmp_path / "map", random.Random(0)
    revisions = {put(path, SECOND), put(path, FIRST)}
    seen = set()
    for _ in range(KILLS):
        with process(lambda: [put(path, FIRST), put(path, SECOND)]):
            time.sleep(chance.uniform(0.0, 0.15))
        if not can_exchange:
            with claimed(path):
                pass
        found = load_map(path, verify_content=True)
        assert found.images(0).shape == (48, 64, 3)
        seen.add(found.information.revision)
    assert seen <= revisions
    put(path, FIRST)
    assert [entry.name for entry in tmp_path.iterdir()] == ["map"]


def test_the_new_map_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    """Otherwise a loss of power may leave the new name with empty files."""
    events = []
    path = tmp_path / "map"
    put(path, FIRST)
    sync, exchange = os.fsync, map_target._exchange

    def synced(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def exchanged(one: Path, other: Path) -> bool:
        events.append("exchanged")
        return exchange(one, other)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(map_target, "_exchange", exchanged)
    put(path, SECOND)
    place = events.index("exchanged")
    before = {f"{keyframe:06d}.jpg" for keyframe in range(3)}
    before |= {"map.json", "tensors.safetensors", "images", f".map.{os.getpid()}.partial"}
    assert set(events[:place]) == before
    assert events[place + 1 :] == [tmp_path.name]


def test_the_second_of_two_builds_is_told_so_at_once(tmp_path):
    path = tmp_path / "map"
    revision = put(path, FIRST)
    ready, begun = os.pipe()

    def hold() -> None:
        with claimed(path):
            os.write(begun, b"1")
            signal.pause()

    with process(hold):
        os.read(ready, 1)
        with pytest.raises(MapError) as caught, claimed(path):
            pass
        assert str(caught.value) == (
            f"{path}: another process is writing a map here; wait for it, or choose another name"
        )
        assert load_map(path).information.revision == revision
    # The lock of a killed process is free.
    assert put(path, SECOND) != revision
    assert [entry.name for entry in tmp_path.iterdir()] == ["map"]


def test_leftovers_of_killed_writers_go_and_others_stay(tmp_path):
    path = tmp_path / "map"
    for name in (".map.77.partial", ".map.78.partial", ".map.x.partial", ".other.77.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    put(path, FIRST)
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {"map", ".map.x.partial", ".other.77.partial"}


def test_a_map_that_had_stepped_aside_comes_back(tmp_path):
    path = tmp_path / "map"
    revision = put(path, FIRST)
    path.rename(tmp_path / ".map.77.replaced")
    with claimed(path):
        assert load_map(path).information.revision == revision
