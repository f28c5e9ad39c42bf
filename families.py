"""The models with joint attention that the pack knows: one entry a family here, one test each in tests/comfyui.

A UNet needs no entry: it tells everything itself. A transformer does not: where its text stands among the keys of an
attention call, which calls are joint, and how its text encoder's rows lie in the CONDITIONING have to be said once.
Nothing here imports ComfyUI or PyTorch.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One family of diffusion transformers.

    `models` are class names of `comfy.model_base`. `stages` name its blocks in running order: what an artist writes in
    *blocks*, and the attribute of the diffusion model that lists them. `text_multiple` and `image_multiple`: both parts
    of a joint call are padded up to a multiple of that many tokens. `patch`: latent pixels along one side of an image
    token. `reads_length` is False where each row of the text is normalised before it is read, so that its length is lost.
    """

    name: str
    models: tuple[str, ...]
    stages: tuple[tuple[str, str], ...]
    patch: int = 2
    text_multiple: int = 1
    image_multiple: int = 1
    reads_length: bool = True


@dataclass(frozen=True)
class Encoder:
    """One text encoder, by the name that ComfyUI's tokenizers give its tokens.

    `causal`: a phrase's rows do not depend on what comes after it. `weighs`: `(word:1.3)` is a weight, not literal text.
    """

    key: str
    causal: bool
    weighs: bool


FAMILIES: tuple[Family, ...] = ()
ENCODERS: tuple[Encoder, ...] = ()
