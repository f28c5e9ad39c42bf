"""The models with joint attention that the pack knows: one entry a family here, one test each in tests/comfyui.

A UNet needs no entry: it tells everything itself. A transformer does not: where its text stands among the keys of an
attention call, and how its text encoder's rows lie in the CONDITIONING have to be said once. Nothing here imports
ComfyUI or PyTorch.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One family of diffusion transformers, in whose joint attention the text's keys come first, then the image's.

    `name` is what artists call it. `models` are class names of `comfy.model_base`. `stages` name its blocks in running
    order: what an artist writes in *blocks*, and the attribute of the diffusion model that lists them.
    `pads_left`: the model itself pads shorter texts, in front. `reads_length` is False where each row of the text is
    normalised before it is read, so that a row's length is lost and its direction stays.
    """

    name: str
    models: tuple[str, ...]
    stages: tuple[tuple[str, str], ...]
    pads_left: bool = False
    reads_length: bool = True


@dataclass(frozen=True)
class Encoder:
    """One text encoder, by the name that ComfyUI's tokenizers give its tokens.

    `causal`: a phrase's rows do not depend on what comes after it. `weighs`: `(word:1.3)` is a weight, not literal text.
    """

    key: str
    causal: bool
    weighs: bool


DOUBLE_THEN_SINGLE = (("double", "double_blocks"), ("single", "single_blocks"))

FAMILIES: tuple[Family, ...] = (
    Family("Qwen-Image", ("QwenImage",), (("block", "transformer_blocks"),), reads_length=False),
    Family("Z-Image and Lumina 2", ("Lumina2", "ZImage"), (("block", "layers"),), reads_length=False),
    Family("Flux.2 and Klein", ("Flux2",), DOUBLE_THEN_SINGLE, pads_left=True),
    Family("Flux", ("Flux",), DOUBLE_THEN_SINGLE),
    Family("Chroma", ("Chroma", "ChromaRadiance"), DOUBLE_THEN_SINGLE),
    Family("SD3", ("SD3",), (("block", "joint_blocks"),)),
)
ENCODERS: tuple[Encoder, ...] = ()


def family_of(model: str) -> Family | None:
    """The family of a class of `comfy.model_base`, by its name; None for one that the pack does not know."""
    return next((family for family in FAMILIES if model in family.models), None)
