"""Pictures before a prompt, for a text encoder that looks at pictures too: as ComfyUI's
TextEncodeQwenImageEditPlus puts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from comfy.sd import CLIP

from ..errors import InputError
from ..families import Encoder
from ..references.pictures import scaled
from ..story.references import Reference

PICTURE = (  # the tokens around one, whose place it takes
    "<|vision_start|><|image_pad|><|vision_end|>"
)


@dataclass(frozen=True, eq=False)
class Sight:
    """What is said of pictures `before` a text, the pictures [1, height, width, 3], and the
    template around both.
    """

    before: str
    images: list[torch.Tensor]
    template: str

    def tokenize(self, clip: CLIP, text: str) -> dict[str, Any]:
        """ComfyUI's tokens of the text after the pictures, with word ids. A picture is one token
        here, of no fixed length.
        """
        tokens: dict[str, Any] = clip.tokenize(
            self.before + text,
            return_word_ids=True,
            images=self.images,
            llama_template=self.template,
        )
        return tokens


def sight_of(clip: CLIP, kind: Encoder, references: Sequence[Reference]) -> Sight:
    """The pictures of these references, in their order, numbered from 1.

    The template is the CLIP's own for pictures, less the place where it has one picture.
    """
    template = getattr(clip.tokenizer, "llama_template_images", None)
    if template is None or PICTURE not in template:
        raise InputError(
            "clip",
            "its tokenizer has no template for pictures",
            "Use a stock CLIP of Qwen-Image, or remove Story Reference",
        )
    before = "".join(f"Picture {number}: {PICTURE}" for number in range(1, len(references) + 1))
    images = [scaled(reference.picture, kind.picture_pixels) for reference in references]
    return Sight(before, images, template.replace(PICTURE, "", 1))
