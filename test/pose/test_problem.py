"""Which points a pose is judged on, and what they gain there."""

from __future__ import annotations

import torch
from pose.synthetic import HEIGHT, WIDTH, problem_of, random_view

from dense_reloc_ros.pose.problem import FoundPose, fine_maps_of

SIZE = 16


def test_points_whose_coarse_maps_exclude_their_place_are_left_out():
    view = random_view(60, 0)
    is_right = torch.arange(60) % 2 == 0
    elsewhere = (view.pixels + torch.tensor([160.0, 120.0])) % torch.tensor([WIDTH, HEIGHT])
    problem = problem_of(view.points, (torch.where(is_right[:, None], view.pixels, elsewhere), 1.0))
    found = fine_maps_of(problem, view.T_camera_map, SIZE)
    assert found.points.tolist() == is_right.nonzero()[:, 0].tolist()
    gains = found.gains(problem)
    assert gains.shape == (60,)
    assert (gains[~is_right] == 0).all()
    expected = problem.fine_maps(view.pixels, SIZE).gains_at(view.pixels[None])[0]
    torch.testing.assert_close(gains, torch.where(is_right, expected, 0.0), atol=0.02, rtol=0)
    assert gains[is_right].min() > 0.4 * found.fine_maps.outlier_loss


def test_gains_are_those_at_the_pose():
    view = random_view(60, 1)
    problem = problem_of(view.points, (view.pixels, 1.0))
    found = fine_maps_of(problem, view.T_camera_map, SIZE)
    beside = FoundPose(view.moved(0.4, 3.0), found.points, found.fine_maps)
    assert beside.gains(problem).mean() < 0.6 * found.gains(problem).mean()


def test_some_of_the_points_make_a_problem_of_their_own():
    view = random_view(10, 2)
    problem = problem_of(view.points, (view.pixels, 1.0))
    chosen = torch.tensor([7, 2])
    part = problem.select(chosen)
    torch.testing.assert_close(part.points, view.points[chosen])
    torch.testing.assert_close(part.coarse_maps.gains, problem.coarse_maps.gains[chosen])
    centres = view.pixels
    torch.testing.assert_close(
        part.fine_maps(centres[chosen], SIZE).gains, problem.fine_maps(centres, SIZE).gains[chosen]
    )
