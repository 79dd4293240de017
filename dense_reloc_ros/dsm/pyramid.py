"""Feature pyramids of query and scene images (paper 3.2)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, normalize

from dense_reloc_ros.dsm.scene_views import Pyramid
from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.compact import COARSE_CHANNELS, FINE_CHANNELS, CompactLevels
from dense_reloc_ros.features.preprocess import normalize_half_size, standardize

FPN_CHANNELS = 256


class ResNetPyramid(nn.Module):
    """ResNet50-FPN: strides 32, 16, 8 and 4, 256 channels each."""

    strides = (32, 16, 8, 4)
    channels = (FPN_CHANNELS,) * 4

    def __init__(self) -> None:
        # Here and not above: its import takes seconds, and brings torch's compiler.
        from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

        super().__init__()
        self.backbone = resnet_fpn_backbone(
            backbone_name="resnet50", weights=None, trainable_layers=5
        )

    def forward(self, images: Tensor) -> Pyramid:
        """Features (B, C, h, w) of images (B, 3, H, W), RGB in [0, 1], L2-normalized along C."""
        maps = self.backbone(standardize(images))
        return tuple(normalize(maps[name], dim=1) for name in ("3", "2", "1", "0"))

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        """Those of the ResNet."""
        return iter(self.backbone.body.parameters())

    def pretrained(self, prefix: str) -> CheckpointFormat:
        """torchvision's ResNet50 of ImageNet, for a network that has this module at `prefix`."""
        names = self.backbone.body.state_dict()
        counters = [
            name.replace("running_mean", "num_batches_tracked")
            for name in names
            if name.endswith("running_mean")
        ]
        return CheckpointFormat(
            "torchvision's ResNet50",
            {f"{prefix}backbone.body.{name}": name for name in names},
            is_trained=False,
            ignored=("fc.", *counters),
        )


class CompactPyramid(nn.Module):
    """EfficientNet-Lite0 with the heads of the network `compact`: strides 8 and 4.

    The coarse head joins the trunk's strides 16 and 8, the fine one 4 and 2. They were trained for
    matching on images of half the size, so that these images are not halved before. Matching begins
    at stride 8: that all points of some 192 x 256 images are affordable there makes a coarser level
    and its errors superfluous.
    """

    strides = (8, 4)
    channels = (COARSE_CHANNELS, FINE_CHANNELS)

    def __init__(self) -> None:
        super().__init__()
        self.compact = CompactLevels()

    def forward(self, images: Tensor) -> Pyramid:
        """Features (B, C, h, w) of images (B, 3, H, W), RGB in [0, 1], L2-normalized along C."""
        coarse, fine, _ = self.compact.maps(standardize(normalize_half_size(images)))
        return normalize(coarse, dim=1), normalize(avg_pool2d(fine, 2), dim=1)

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        """All: the heads have been trained, too."""
        return self.parameters()

    def pretrained(self, prefix: str) -> CheckpointFormat:
        """The weights of the network `compact`, for a network that has this module at `prefix`."""
        names = self.compact.state_dict()
        return CheckpointFormat(
            "compact",
            {f"{prefix}compact.{name}": name for name in names},
            is_trained=False,
            ignored=("global_head.",),
        )
