"""The smallest network, loss and pairs that have everything a training loop can get wrong."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel, LevelSignature
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.training.examples import PairBatch, TrainingPair
from dense_reloc_ros.training.losses.value import LossValue

HEIGHT, WIDTH, POINTS = 32, 48, 6
SHIFT = 8.0


class TinyNetwork(FeatureNetwork):
    """With a pretrained trunk, batch statistics and dropout."""

    name = "tiny"

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Conv2d(3, 8, 5, padding=2)
        self.norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.2)
        self.fine = nn.Conv2d(8, 8, 2, stride=2)
        self.coarse = nn.Conv2d(8, 8, 8, stride=8)

    @property
    def level_signatures(self) -> Mapping[str, LevelSignature]:
        return {
            "coarse": LevelSignature(stride=8, channels=8),
            "fine": LevelSignature(stride=2, channels=8),
        }

    def forward(self, images: Tensor) -> DenseFeatures:
        shared = self.dropout(self.norm(self.trunk(images)).relu())
        return DenseFeatures(
            levels={
                "coarse": FeatureLevel(8, 3.5, normalize(self.coarse(shared), dim=1)),
                "fine": FeatureLevel(2, 0.5, normalize(self.fine(shared), dim=1)),
            },
            global_descriptor=normalize(shared.mean((2, 3)), dim=1),
        )


class TinyLoss(nn.Module):
    """Learns a temperature, remembers past descriptors, draws random numbers."""

    memory: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.zeros(()))
        self.register_buffer("memory", torch.zeros(8))

    def forward(self, source: DenseFeatures, target: DenseFeatures, batch: PairBatch) -> LossValue:
        near = torch.stack(
            [
                (
                    source.levels["fine"].sample(batch.source_pixels[image], image)
                    * target.levels["fine"].sample(batch.target_pixels[image], image)
                ).sum(-1)
                for image in range(len(batch.place))
            ]
        )
        far = target.levels["coarse"].values.mean((2, 3)) @ (self.memory + torch.rand(8))
        if self.training:
            self.memory.mul_(0.9).add_(0.1 * source.global_descriptor.detach().mean(0))
        total = nn.functional.softplus((0.3 - near) * self.log_temperature.exp()).mean()
        total = total + 0.1 * far.square().mean()
        return LossValue(total, {"tiny/near": float(near.detach().mean())})


class TinySource:
    """Noise and the same moved to the right; some points leave the image."""

    def __init__(self, missing: int | None = None, broken: int | None = None) -> None:
        self._missing = missing
        self._broken = broken

    def pair(self, number: int) -> TrainingPair:
        if number == self._missing:
            raise InputError("/photographs/7.jpg: no such file")
        random = torch.Generator().manual_seed(number)
        image = torch.rand(3, HEIGHT, WIDTH, generator=random)
        pixels = torch.rand(POINTS, 2, generator=random) * torch.tensor([WIDTH - 1, HEIGHT - 1])
        moved = pixels + torch.tensor([SHIFT, 0.0])
        if number == self._broken:
            image = image * torch.nan
        return TrainingPair(
            source_image=image,
            target_image=image.roll(int(SHIFT), dims=2),
            source_pixels=pixels,
            target_pixels=moved,
            visible=moved[:, 0] <= WIDTH - 1,
            points=torch.zeros(POINTS, 3),
            T_target_source=torch.eye(4),
            source_intrinsics=torch.ones(4),
            target_intrinsics=torch.ones(4),
            has_pose=torch.tensor(False),
            place=torch.tensor(number % 3),
        )
