"""Images go with the camera_info of their stamp; what has none is told apart from what is lost."""

from __future__ import annotations

import pytest

from dense_reloc_ros.nodes.frame_pairing import KEPT, FramePairing


def pairing(*stamps: int) -> FramePairing[str]:
    made: FramePairing[str] = FramePairing()
    for stamp in stamps:
        made.add_info(stamp, f"of {stamp}")
    return made


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [(20, "of 20"), (25, "of 20"), (30, "of 30"), (99, "of 30"), (5, "of 10")],
    ids=["its own", "the last before", "its own, the newest", "the newest", "the first after"],
)
@pytest.mark.parametrize("order", [(10, 20, 30), (30, 10, 20)])
def test_an_image_goes_with_the_info_of_its_stamp_or_the_last_before(order, stamp, expected):
    assert pairing(*order).info_for(stamp) == expected


def test_an_info_without_stamp_holds_until_the_next():
    made = pairing(10)
    made.add_info(0, "first")
    assert made.info_for(50) == "first"
    assert made.info_for(10) == "of 10"
    made.add_info(0, "second")
    assert made.info_for(50) == "second"


def test_nothing_belongs_to_an_image_before_anything_came():
    assert pairing().info_for(10) is None
    assert pairing().newest is None


def test_only_the_newest_infos_are_kept_also_after_time_was_set_back():
    made = pairing(*range(1000, 1000 + KEPT), *range(1, 11))
    assert made.info_for(5) == "of 5"
    assert made.has_own(1010)
    assert not made.has_own(1009)


@pytest.mark.parametrize(
    ("arrives", "lost"),
    [
        (lambda k: True, (0, 30)),
        (lambda k: k % 10 == 0, (27, 30)),
        (lambda k: k >= 30, (0, 0)),  # none of those that are judged: other stamps
        (lambda k: False, (0, 0)),
    ],
    ids=["all", "every tenth", "none of the judged", "none"],
)
def test_infos_without_an_image_are_counted_but_the_newest(arrives, lost):
    made = pairing(*range(1, 41))
    for k in range(40):
        if arrives(k):
            made.add_image(k + 1)
    assert made.lost == lost


def test_a_few_infos_say_nothing_yet():
    made = pairing(*range(1, 30))
    made.add_image(1)
    assert made.lost == (0, 0)
