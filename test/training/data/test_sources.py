import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from training.data.clean_pairs import equal

from dense_reloc_ros.training.data.rgbd import RgbdConfiguration
from dense_reloc_ros.training.data.sources import DataConfiguration, MixedSource, create_source
from dense_reloc_ros.training.data.warps import WarpsConfiguration, WarpsSource
from dense_reloc_ros.training.examples import TrainingPair

ADAPTER: TypeAdapter = TypeAdapter(DataConfiguration)
SIZE = (60, 80)


class Numbered:
    """Pairs that say who made them and with which number."""

    def __init__(self, places: int, name: int) -> None:
        self.places, self._name = places, name

    def pair(self, number: int) -> TrainingPair:
        values = {
            "source_image": torch.full((3, 2, 2), self._name),
            "target_image": torch.full((3, 2, 2), number % 2**20),
        }
        empty = torch.zeros(1)
        fields = TrainingPair.__dataclass_fields__
        place = torch.tensor(number % self.places)
        return TrainingPair(**{name: values.get(name, empty) for name in fields} | {"place": place})


def test_kind_chooses_the_configuration():
    warps = ADAPTER.validate_python({"kind": "warps", "pictures": ["coffee"]})
    assert isinstance(warps, WarpsConfiguration)
    rgbd = ADAPTER.validate_python({"kind": "rgbd", "folders": ["here"], "overlap": 0.5})
    assert isinstance(rgbd, RgbdConfiguration) and rgbd.overlap == 0.5
    for wrong in ({"kind": "magic"}, {"kind": "warps", "magic": 1}, {"kind": "colmap"}):
        with pytest.raises(ValidationError):
            ADAPTER.validate_python(wrong)


def test_source_is_that_of_the_configuration():
    configuration = WarpsConfiguration(pictures=("coffee", "chelsea"))
    source = create_source(configuration, SIZE, 30)
    assert source.places == 2
    assert equal(source.pair(9), WarpsSource(configuration, SIZE, 30).pair(9))
    assert source.pair(9).source_image.shape == (3, *SIZE)


def test_mixture_draws_by_weight_and_keeps_places_apart():
    mixed = MixedSource([Numbered(3, 0), Numbered(5, 1), Numbered(2, 2)], [1, 3, 0.5])
    assert mixed.places == 10
    pairs = [mixed.pair(number) for number in range(2000)]
    names = np.array([int(pair.source_image[0, 0, 0]) for pair in pairs])
    places = np.array([int(pair.place) for pair in pairs])
    shares = [np.mean(names == name) for name in range(3)]
    assert shares == pytest.approx([1 / 4.5, 3 / 4.5, 0.5 / 4.5], abs=0.03)
    assert [set(places[names == name].tolist()) for name in range(3)] == [
        {0, 1, 2},
        {3, 4, 5, 6, 7},
        {8, 9},
    ]
    assert [int(pair.target_image[0, 0, 0]) for pair in pairs] == list(range(2000))


def test_mixture_repeats_by_number():
    first, second = (MixedSource([Numbered(3, 0), Numbered(5, 1)], [1, 1]) for _ in range(2))
    assert all(equal(first.pair(n), second.pair(n)) for n in (0, 1, 2**44 + 5))
