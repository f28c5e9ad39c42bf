"""Pictures of a story's cast, for models that read pictures besides the text: which of them a frame
sees.

Each frame sees the pictures of the characters in it, and no others.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Reference:
    """One picture. `phrase` is the place of its character among the story's identity phrases; None:
    every frame sees it.

    `picture` [1, height, width, 3] in 0..1 is what a text encoder may look at, `latent` [1,
    channels, .., h, w] what the model paints with. Frames that see the same picture have the same
    object: it is encoded once.
    """

    phrase: int | None
    picture: Any
    latent: Any
