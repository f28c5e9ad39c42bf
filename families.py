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
    """The text encoders of one kind of CLIP, by the names that ComfyUI's tokenizers give their tokens.

    `bands` are those whose rows are in the CONDITIONING, from its first row on; the encoders of a band stand side by side,
    in the order of their columns. An encoder in no band gives the `pooled` vector alone. `two_way` ones do not read from left
    to right: a phrase's rows depend on what comes after it. `free_columns` stay empty where a band's first encoder is missing.
    Templates, begin and end tokens, padding and weights like (red:1.3) are asked of the CLIP itself.
    """

    name: str
    bands: tuple[tuple[str, ...], ...]
    pooled: tuple[str, ...] = ()
    two_way: tuple[str, ...] = ()
    free_columns: int = 0

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(key for band in (*self.bands, self.pooled) for key in band)

    @property
    def for_unets(self) -> bool:
        """CLIP towers alone: read by a UNet's cross-attention, for which a prompt may be repeated but not padded."""
        return self.keys <= set(TOWERS)


TOWERS = ("l", "g", "h")  # CLIP's text towers: chunks of 77 tokens, each from begin to end token
FAMILIES: tuple[Family, ...] = ()
ENCODERS = (
    Encoder("SD1.x", (("l",),)),
    Encoder("SD2.x", (("h",),)),
    Encoder("SDXL", (("l", "g"),)),
    Encoder("Stable Cascade", (("g",),)),
    Encoder("SD3", (("l", "g"), ("t5xxl",)), two_way=("t5xxl",), free_columns=768),
    Encoder("Flux", (("t5xxl",),), pooled=("l",), two_way=("t5xxl",)),
    Encoder("Chroma", (("t5xxl",),), two_way=("t5xxl",)),
    Encoder("Qwen-Image", (("qwen25_7b",),)),
    Encoder("Z-Image and Flux.2 Klein 4B", (("qwen3_4b",),)),
    Encoder("Flux.2 Klein 9B", (("qwen3_8b",),)),
    Encoder("Flux.2", (("mistral3_24b",),)),
    Encoder("Lumina 2", (("gemma2_2b",),)),
)
