from dataclasses import replace

import numpy as np
import pytest
from training.data.clean_pairs import CLEAN, differences, equal, small_room, values_at_points

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.training.data import rooms
from dense_reloc_ros.training.data.depth_source import DepthSource
from dense_reloc_ros.training.data.rooms import RenderedRooms, RoomsConfiguration, room_recordings

SIZE = (72, 96)


@pytest.fixture(autouse=True)
def small_rooms(monkeypatch) -> None:
    """Every room is the same small one; its other light is a third of its own."""
    monkeypatch.setattr(rooms, "random_room", lambda _: small_room())
    monkeypatch.setattr(rooms, "relit", lambda room, _: replace(room, ambient=room.ambient / 3))


def create(cache, **values: object) -> DepthSource:
    values = {"rooms": 2, "frames": 8, "width": 96, "height": 72, "overlap": 0.2, **values}
    configuration = RoomsConfiguration(cache=cache, photometric=CLEAN, **values)
    return DepthSource(room_recordings(configuration), configuration, SIZE, 100)


def test_rooms_are_rendered_once(tmp_path, monkeypatch):
    first = create(tmp_path / "rooms")
    assert first.places == 2

    def refuse(*_, **__):
        raise AssertionError("rendered again")

    monkeypatch.setattr(rooms, "Raycaster", refuse)
    again = create(tmp_path / "rooms")
    assert equal(first.pair(5), again.pair(5))
    assert {int(again.pair(number).place) for number in range(10)} == {0, 1}
    with pytest.raises(AssertionError, match="rendered again"):
        create(tmp_path / "rooms", frames=9)


def test_targets_come_in_both_lights(tmp_path):
    source = create(tmp_path, rooms=1)
    ratios = []
    for number in range(24):
        own, seen = values_at_points(source.pair(number))
        ratios.append(np.median(seen[own > 0.2] / own[own > 0.2]))
    # A third of linear light is about 0.6 in sRGB.
    same, darker = (np.abs(np.array(ratios) - light) < 0.15 for light in (1.0, 0.6))
    assert same.sum() > 5 and darker.sum() > 5
    assert (same | darker).all()


def test_images_show_the_same_at_visible_points(tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "relit", lambda room, _: room)
    source = create(tmp_path, rooms=1)
    values = np.concatenate([differences(source.pair(number)) for number in range(10)])
    assert np.median(values) < 0.03


def test_interrupted_rendering_leaves_no_room(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(rooms, "Raycaster", interrupt)
    with pytest.raises(KeyboardInterrupt):
        create(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        create(tmp_path / "file")


def test_quick_rooms_are_rendered_in_one_light_that_stands_for_the_other(tmp_path):
    few = {"rooms": 1, "frames": 4, "width": 64, "height": 48}
    quick = room_recordings(RenderedRooms(cache=tmp_path, quick=True, **few))[0]
    fine = room_recordings(RenderedRooms(cache=tmp_path, **few))[0]
    assert quick.relit == quick.frames
    assert [path.name for path in tmp_path.glob("*-quick/*")] == ["own"]
    for one, other in zip(quick.frames, fine.frames, strict=True):
        np.testing.assert_array_equal(one.known_pose(), other.known_pose())
        images = [frame.load_undistorted().astype(float) for frame in (one, other)]
        # The same room: only its light is computed less finely.
        assert np.median(np.abs(images[0] - images[1])) < 6
