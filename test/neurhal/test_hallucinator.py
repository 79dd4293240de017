from __future__ import annotations

import hashlib

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import interpolate

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.compact import Compact
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.neurhal.compact_hallucinator import LEVEL_OFFSET, LEVEL_STRIDE, relative_depths
from dense_reloc_ros.neurhal.hallucinator import NeurHal, sampled
from dense_reloc_ros.neurhal.hallucinator_weights import create_hallucinator, open_hallucinator

INTRINSICS = torch.tensor([[210.0, 230.0, 127.5, 95.5]])


@pytest.fixture(scope="module")
def network() -> NeurHal:
    torch.manual_seed(0)
    return create_hallucinator("neurhal_compact").eval().requires_grad_(False)


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
    total = maps.log_maps.exp().sum((-1, -2)) + maps.log_elsewhere.exp()
    torch.testing.assert_close(total, torch.ones(1, 5))


def test_points_of_the_small_network_hear_of_each_other_whatever_their_order(network):
    pixels, depths = points(40)
    source, target = images(1), images(2)[:1]
    found = maps_of(network, source, target, pixels, depths).log_maps
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    shuffled = maps_of(network, source, target, pixels[:, order], depths[:, order]).log_maps
    torch.testing.assert_close(shuffled, found[:, order], rtol=1e-3, atol=1e-3)
    fewer = maps_of(network, source, target, pixels[:, :3], depths[:, :3]).log_maps
    assert float((fewer - found[:, :3]).abs().max()) > 0.01


def test_only_what_points_are_relative_to_each_other_matters_of_their_depths(network):
    pixels, depths = points(20)
    source, target = images(1), images(2)[:1]
    one, other = (
        maps_of(network, source, target, pixels, scale * depths).log_maps for scale in (1, 7)
    )
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_seen_points_are_most_likely_where_they_match_before_anything_is_learned(network):
    image = images(1)
    pixels = torch.stack(
        torch.meshgrid(torch.arange(2, 14), torch.arange(2, 10), indexing="xy"), dim=-1
    )
    pixels = (16.0 * pixels.reshape(1, -1, 2)) + 7.5
    maps = maps_of(network, image, image, pixels, torch.full(pixels.shape[:2], 2.0))
    best = maps.log_maps.flatten(2).argmax(-1)[0]
    found = maps.plane.pixels(torch.stack([best % 32, best // 32], dim=-1).float())
    right = (found - pixels[0]).abs().amax(-1) < 1
    assert float(right.float().mean()) > 0.9


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


def test_the_frozen_part_is_no_part_of_the_network_which_knows_its_weights(network, tmp_path):
    assert not [name for name in network.state_dict() if "trunk" in name or "head" in name]
    sha256 = hashlib.sha256(Compact().default_weights().read_bytes()).hexdigest()
    assert network.backbone.frozen_version() == f"compact-{sha256[:12]}"
    state = network.state_dict()
    save_file(state, tmp_path / "same.safetensors", {"network": "neurhal_compact"})
    open_hallucinator("neurhal_compact", torch.device("cpu"), tmp_path / "same.safetensors")
    state["backbone.features_sha256"] = torch.zeros(32, dtype=torch.uint8)
    save_file(state, tmp_path / "other.safetensors", {"network": "neurhal_compact"})
    with pytest.raises(ConfigurationError, match="learned on other weights of 'compact'"):
        open_hallucinator("neurhal_compact", torch.device("cpu"), tmp_path / "other.safetensors")


def test_descriptors_of_points_at_the_centres_of_cells_are_those_of_the_cells(network):
    view = network.source_view(images(1), INTRINSICS)
    pixels = torch.tensor([[[7.5, 7.5], [7.5 + 16 * 3, 7.5 + 16 * 5], [7.5 + 8, 7.5]]])
    found = sampled(view.grid, pixels, view.stride, view.offset)[0]
    torch.testing.assert_close(found[0], view.grid[0, 0, 0])
    torch.testing.assert_close(found[1], view.grid[0, 5, 3])
    torch.testing.assert_close(found[2], (view.grid[0, 0, 0] + view.grid[0, 0, 1]) / 2)
    pixels = torch.tensor([[[3.5, 3.5 + 8 * 2]]])
    found = sampled(view.level, pixels, LEVEL_STRIDE, LEVEL_OFFSET)[0]
    torch.testing.assert_close(found[0], view.level[0, 2, 0])


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
