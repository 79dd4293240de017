from __future__ import annotations

import pytest
import torch
from torch.nn.functional import interpolate

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.compact import Compact
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.neurhal.hallucinator import (
    NeurHal,
    create_hallucinator,
    relative_depths,
    sampled,
)

INTRINSICS = torch.tensor([[210.0, 230.0, 127.5, 95.5]])


@pytest.fixture(scope="module")
def network() -> NeurHal:
    torch.manual_seed(0)
    network = create_hallucinator("neurhal_compact")
    load_weights(network, Compact().default_weights())
    return network.eval().requires_grad_(False)


def images(count: int, size: tuple[int, int] = (192, 256)) -> torch.Tensor:
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(count))


def points(count: int, views: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    pixels = torch.rand(views, count, 2, generator=generator) * torch.tensor([255.0, 191.0])
    return pixels, torch.rand(views, count, generator=generator) + 1


def maps_of(network, source, target, pixels, depths):
    one = network.source_view(source, INTRINSICS.expand(len(source), 4))
    other = network.target_view(target, INTRINSICS.expand(len(target), 4))
    return network.match(one, other, pixels, depths)


def test_maps_are_probabilities_on_a_plane_twice_as_large_as_the_image(network):
    maps = maps_of(network, images(1), images(2)[:1], *points(5))
    assert maps.log_maps.shape == (1, 5, 24, 32)
    assert (maps.plane.stride, maps.plane.offset, maps.plane.padding) == (16, 7.5, (8, 6))
    torch.testing.assert_close(maps.log_maps.exp().sum((-1, -2)), torch.ones(1, 5))


def test_points_are_found_each_for_itself_but_for_their_median_depth(network):
    pixels, depths = points(5)
    depths[:] = 2.0
    source, target = images(1), images(2)[:1]
    together = maps_of(network, source, target, pixels, depths).log_maps
    alone = maps_of(network, source, target, pixels[:, 3:4], depths[:, 3:4]).log_maps
    torch.testing.assert_close(together[:, 3:4], alone, rtol=1e-4, atol=1e-4)


def test_one_target_serves_several_sources(network):
    pixels, depths = points(4, views=2)
    sources, target = images(2), images(3)[:1]
    shared = maps_of(network, sources, target, pixels, depths).log_maps
    for number in range(2):
        one = slice(number, number + 1)
        own = maps_of(network, sources[one], target, pixels[one], depths[one]).log_maps
        torch.testing.assert_close(shared[one], own, rtol=1e-4, atol=1e-4)


def test_the_frozen_part_is_the_coarse_level_of_compact_on_images_twice_as_large(network):
    compact = Compact()
    load_weights(compact, compact.default_weights())
    image = images(1)
    doubled = interpolate(image, scale_factor=2, mode="nearest")
    with torch.no_grad():
        expected = compact.eval()(doubled).levels["coarse"].values
    torch.testing.assert_close(network.backbone.frozen(image), expected, rtol=1e-4, atol=1e-5)


def test_what_the_frozen_part_gave_stands_for_the_image(network):
    image = images(1)
    kept = network.backbone.frozen(image)
    torch.testing.assert_close(network.backbone(image).values, network.backbone(kept).values)


def test_the_version_of_the_frozen_part_changes_with_its_weights(network):
    same, other = create_hallucinator("neurhal_compact"), create_hallucinator("neurhal_compact")
    for one in (same, other):
        load_weights(one, Compact().default_weights())
    with torch.no_grad():
        other.backbone.compact.coarse_head[1].bias[0] += 1e-3
        same.backbone.compression.bias[0] += 1e-3
    assert same.backbone.frozen_version() == network.backbone.frozen_version()
    assert other.backbone.frozen_version() != network.backbone.frozen_version()


def test_descriptors_of_points_at_the_centres_of_cells_are_those_of_the_cells(network):
    view = network.source_view(images(1), INTRINSICS)
    pixels = torch.tensor([[[7.5, 7.5], [7.5 + 16 * 3, 7.5 + 16 * 5], [7.5 + 8, 7.5]]])
    found = sampled(view, pixels)[0]
    torch.testing.assert_close(found[0], view.grid[0, 0, 0])
    torch.testing.assert_close(found[1], view.grid[0, 5, 3])
    torch.testing.assert_close(found[2], (view.grid[0, 0, 0] + view.grid[0, 0, 1]) / 2)


def test_depths_count_relative_to_their_median_and_unknown_ones_not_at_all():
    depths = torch.tensor([[1.0, 2.0, 4.0, 0.0], [3.0, 6.0, 12.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    found = relative_depths(depths)
    ln2 = torch.log(torch.tensor(2.0))
    expected = torch.stack([-ln2, torch.tensor(0.0), ln2, torch.tensor(0.0)])
    torch.testing.assert_close(found[:2], expected.expand(2, 4))
    assert found[2].tolist() == [0.0] * 4


def test_the_published_network_has_the_size_of_table_c1():
    network = create_hallucinator("neurhal")
    millions = {
        name: sum(p.numel() for p in network.get_submodule(name).parameters()) / 1e6
        for name in ("backbone", "source_attention", "target_attentions")
    }
    assert millions["backbone"] == pytest.approx(2.4, abs=0.05)
    cross = millions["source_attention"] + millions["target_attentions"]
    assert cross == pytest.approx(7.2, abs=0.2)


def test_the_published_network_has_stride_8_and_does_not_know_depths():
    torch.manual_seed(0)
    network = create_hallucinator("neurhal").eval()
    pixels, depths = points(3)
    source, target = images(1, (48, 64)), images(2, (48, 64))[:1]
    with torch.no_grad():
        maps = maps_of(network, source, target, pixels / 4, depths)
        other = maps_of(network, source, target, pixels / 4, 10 * depths.square())
    assert maps.log_maps.shape == (1, 3, 12, 16)
    assert torch.equal(maps.log_maps, other.log_maps)


def test_unknown_variants_are_refused():
    with pytest.raises(ConfigurationError, match="neurhal_compact"):
        create_hallucinator("neurhal_huge")
