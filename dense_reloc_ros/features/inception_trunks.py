"""The trunks of NRE's networks (thesis B.2.1), of torchvision's Inception-v3."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn.functional import max_pool2d
from torchvision.models.inception import (
    BasicConv2d,
    InceptionA,
    InceptionB,
    InceptionC,
    InceptionD,
)


def up_to_mixed_7a() -> nn.Sequential:
    """Inception-v3 up to Mixed_7a, where it has stride 16, padded so that only strides shrink."""
    return nn.Sequential(
        OrderedDict(
            Conv2d_1a_3x3=BasicConv2d(3, 32, kernel_size=3, stride=2, padding=1),
            Conv2d_2a_3x3=BasicConv2d(32, 32, kernel_size=3, padding=1),
            Conv2d_2b_3x3=BasicConv2d(32, 64, kernel_size=3, padding=1),
            maxpool1=nn.MaxPool2d(3, stride=2, padding=1),
            Conv2d_3b_1x1=BasicConv2d(64, 80, kernel_size=1),
            Conv2d_4a_3x3=BasicConv2d(80, 192, kernel_size=3, padding=1),
            maxpool2=nn.MaxPool2d(3, stride=2, padding=1),
            **_mixed_5(),
            Mixed_6a=_PaddedInceptionB(288),
            Mixed_6b=InceptionC(768, channels_7x7=128),
            Mixed_6c=InceptionC(768, channels_7x7=160),
            Mixed_6d=InceptionC(768, channels_7x7=160),
            Mixed_6e=InceptionC(768, channels_7x7=192),
            Mixed_7a=_UnstridedInceptionD(768),
        )
    )


def up_to_mixed_5d() -> nn.Sequential:
    """Inception-v3 up to Mixed_5d without pooling; Conv2d_3b looks at 3 x 3, despite its name."""
    return nn.Sequential(
        OrderedDict(
            Conv2d_1a_3x3=BasicConv2d(3, 32, kernel_size=3, stride=2, padding=1),
            Conv2d_2a_3x3=BasicConv2d(32, 32, kernel_size=3, padding=1),
            Conv2d_2b_3x3=BasicConv2d(32, 64, kernel_size=3, padding=1),
            Conv2d_3b_1x1=BasicConv2d(64, 80, kernel_size=3, padding=1),
            Conv2d_4a_3x3=BasicConv2d(80, 192, kernel_size=3, padding=1),
            **_mixed_5(),
        )
    )


def _mixed_5() -> dict[str, nn.Module]:
    return {
        "Mixed_5b": InceptionA(192, pool_features=32),
        "Mixed_5c": InceptionA(256, pool_features=64),
        "Mixed_5d": InceptionA(288, pool_features=64),
    }


class _PaddedInceptionB(InceptionB):  # type: ignore[misc]
    """The block that halves the resolution, padded by one, so that nothing else is lost."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(in_channels)
        self.branch3x3.conv.padding = (1, 1)
        self.branch3x3dbl_3.conv.padding = (1, 1)

    def _forward(self, x: Tensor) -> list[Tensor]:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return [self.branch3x3(x), double, max_pool2d(x, 3, stride=2, padding=1)]


class _UnstridedInceptionD(InceptionD):  # type: ignore[misc]
    """The block that would halve the resolution, kept at it: what it pooled passes as it is."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(in_channels)
        for last in (self.branch3x3_2.conv, self.branch7x7x3_4.conv):
            last.stride, last.padding = (1, 1), (1, 1)

    def _forward(self, x: Tensor) -> list[Tensor]:
        narrow = self.branch3x3_2(self.branch3x3_1(x))
        wide = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return [narrow, self.branch7x7x3_4(wide), x]
