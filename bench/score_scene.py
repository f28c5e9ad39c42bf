"""Story Score with short names, and what ComfyUI's own vision model makes of each picture."""

import comfy.clip_vision
import pytest
import torch


def score(nodes, images, vision, **inputs):
    lists = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
    return (
        nodes["StoryScore"]
        .execute(
            images=images if isinstance(images, list) else [images], clip_vision=[vision], **lists
        )
        .args
    )


def embedding(vision, kind, pictures):
    """Straight from ComfyUI's own model, a picture at a time."""
    rows = []
    for picture in pictures:
        pixels = comfy.clip_vision.clip_preprocess(
            picture[None], vision.image_size, vision.image_mean, vision.image_std
        ).float()
        if kind == "clip":
            rows.append(vision.model(pixels)[2][0])
        elif kind == "siglip":
            rows.append(vision.model(pixels)[0][0].mean(0))
        else:
            rows.append(vision.model(pixels)[0][0, 0])
    return torch.nn.functional.normalize(torch.stack(rows).double(), dim=-1)


def refused(name):
    return pytest.raises(ValueError, match=f"Story Score - {name}")
