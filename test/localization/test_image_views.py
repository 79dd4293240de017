"""What is done with a view of an image, and what it counts as."""

from __future__ import annotations

from dataclasses import replace

from gallery import CAMERA, looking

from dense_reloc_ros.features.extractor import (
    image_to_tensor,
)
from dense_reloc_ros.localization import image_views
from dense_reloc_ros.localization.image_views import ImageViews
from dense_reloc_ros.localization.query_view import QueryView, turned
from dense_reloc_ros.localization.search_work import (
    COARSE_POSE,
    NETWORK,
    PLACE,
    SearchWork,
)
from dense_reloc_ros.retrieval.places import rank_keyframes
from dense_reloc_ros.stopwatch import Stopwatch

TRUTH = looking(20, distance=0.45, height=1.25, pitch=4.0)


def test_a_view_that_is_asked_for_again_is_not_looked_at_again(gallery, localizer, monkeypatch):
    ranked = []

    def rank(features, *options):
        ranked.append(features)
        return rank_keyframes(features, *options)

    monkeypatch.setattr(image_views, "rank_keyframes", rank)
    work = SearchWork(8.0)
    views = ImageViews(localizer, None, frozenset(), Stopwatch(localizer.device), work)
    view = QueryView.of(gallery.render(TRUTH).image, CAMERA)
    found = views.localize(view)
    assert views.localize(replace(view)) is found
    assert views.evidence_in(view) == found.ranked.best_evidence
    assert views.coarse_pose(view) is not None
    assert (len(localizer.extractor.sizes), len(ranked)) == (1, 1)
    assert views.localize(turned(view, 1)) is not found
    assert (len(localizer.extractor.sizes), len(ranked)) == (2, 2)
    # Two views as large as a keyframe, a place each at least, and a coarse pose.
    assert work.spent >= 2 * (NETWORK + PLACE) + COARSE_POSE
    assert not work.is_over


def test_features_that_are_known_count_as_work_as_others_do(gallery, localizer):
    view = QueryView.of(gallery.render(TRUTH).image, CAMERA)
    features = localizer.extractor(image_to_tensor(view.image))
    spent = []
    for known in ({}, {(view.camera, view.quarters): features}):
        work = SearchWork(8.0)
        stopwatch = Stopwatch(localizer.device)
        views = ImageViews(localizer, None, frozenset(), stopwatch, work, known)
        assert views.evidence_in(view) == views.evidence_in(view)
        spent.append(work.spent)
    assert spent == [NETWORK, NETWORK]
