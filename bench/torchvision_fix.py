"""Next to a CPU build of torch, torchvision's wheel misses two operators at import; defining their
schemas cures it.
"""

import torch

_library = None


def make_torchvision_importable() -> None:
    global _library
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        _library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision  # noqa: F401
