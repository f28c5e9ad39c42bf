"""The models with joint attention that the pack knows: one entry per family here, one test per
entry in tests/comfyui.

A UNet needs no entry: everything can be read off the model. A transformer needs two facts: where
its text is among the keys of an attention call, and how its text encoder fills the CONDITIONING.
Nothing here imports ComfyUI or PyTorch.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One family of diffusion transformers, in whose joint attention the text's keys come first,
    then the image's.

    `name` is what artists call it. `models` are class names of `comfy.model_base`. `stages` name
    its blocks in running
    order: what an artist writes in *blocks*, and the attribute of the diffusion model that lists
        them.
    `pads_left`: the model itself pads shorter texts, in front. `reads_length` is False where each
    row of the text is normalised before it is read, so that a row's length is lost and its
    direction stays. `refiner` is the attribute that lists the blocks in which the text attends to
    itself, before the joint ones; such a family has its text first. `text_last`: the image's keys
    come first instead. `second_times`: how many keys each row of the second text tensor gives; they
    come after the first's: all rows once, then all rows again. `told_by` is an attribute of the
    diffusion model, for a family that shares its class with another one: it exists there and is not
    None. `reads_references`: it paints with pictures beside the text, from the entry
    `reference_latents`. `has_prefix`: text and references do not read the image, which reads them.
    `texts_of_references`: references of other nodes bring texts of their own, before the prompt's.
    `has_cross_attention`: the image's queries meet the text's keys in calls of their own, without
    the image's keys.
    """

    name: str
    models: tuple[str, ...]
    stages: tuple[tuple[str, str], ...]
    pads_left: bool = False
    reads_length: bool = True
    refiner: str = ""
    text_last: bool = False
    second_times: int = 0
    told_by: str = ""
    reads_references: bool = False
    has_prefix: bool = False
    texts_of_references: bool = False
    has_cross_attention: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Each model by its name, which tooltips, help and docs have too:
        tests/unit/test_model_names.py holds them to it.
        """
        return tuple(self.name.replace(" and ", ", ").split(", "))


@dataclass(frozen=True)
class Encoder:
    """The text encoders of one kind of CLIP, by the names that ComfyUI's tokenizers give their
    tokens.

    `bands` are those that fill the CONDITIONING, from its first position on; the encoders of a band
    are side by side, in the order of their features. An encoder in no band gives only the `pooled`
    vector. `two_way` ones do not read from left to right: a phrase's embeddings depend on what
    comes after it. `free_features` stay empty where a band's first encoder is missing. `second`
    fills the second text tensor, all its layers. ComfyUI gives `cut` ones only the beginning of a
    long prompt. Templates, begin and end tokens, padding and weights like (red:1.3) are read from
    the CLIP itself.
    `for_references`: a model that is used with it reads references, unless its tokenizer is of one
        of the classes `not_by`.
    `picture_pixels`: how many pixels the pictures that it looks at should have; 0: it reads only
    text.
    `length_lost_by`: classes of tokenizers, by which ComfyUI distinguishes models that share an
    encoder, whose models normalise every row of the text.
    `adapter_reads`: the encoder that fills the CONDITIONING, whose rows an adapter in the model
    reads. The adapter makes the text: one row for each of the band's tokens.
    """

    name: str
    bands: tuple[tuple[str, ...], ...]
    pooled: tuple[str, ...] = ()
    two_way: tuple[str, ...] = ()
    free_features: int = 0
    second: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    for_references: bool = False
    not_by: tuple[str, ...] = ()
    picture_pixels: int = 0
    length_lost_by: tuple[str, ...] = ()
    adapter_reads: str = ""

    @property
    def keys(self) -> frozenset[str]:
        adapter = filter(None, [self.adapter_reads])
        bands = (*self.bands, self.pooled, self.second, adapter)
        return frozenset(key for band in bands for key in band)

    @property
    def for_unets(self) -> bool:
        """Only CLIP towers: read by a UNet's cross-attention, for which a prompt may be repeated
        but not padded.
        """
        return self.keys <= set(TOWERS)


SECOND_TEXT = (  # in a CONDITIONING's dict, beside its rows: [rows, layers, tokens, width]
    "conditioning_llama3"
)
# In a CONDITIONING's dict, [tokens]: what an adapter makes the text of. It is filled up with zeros
# to at least so many positions.
ADAPTER_TOKENS = ("t5xxl_ids", "t5xxl_weights")
ADAPTED_TEXT = 512
TOWERS = ("l", "g", "h")  # CLIP's text towers: chunks of 77 tokens, each from begin to end token
DOUBLE_THEN_SINGLE = (("double", "double_blocks"), ("single", "single_blocks"))
DOUBLE_THEN_SINGLE_STREAM = (("double", "double_stream_blocks"), ("single", "single_stream_blocks"))

FAMILIES: tuple[Family, ...] = (
    Family(
        "Qwen-Image",
        ("QwenImage",),
        (("block", "transformer_blocks"),),
        reads_length=False,
        reads_references=True,
    ),
    Family(
        "Qwen-Image 2.1",
        ("QwenImage21",),
        (("block", "transformer_blocks"),),
        reads_length=False,
        has_prefix=True,
    ),
    Family("Mage-Flow", ("MageFlow",), (("block", "transformer_blocks"),), reads_length=False),
    Family(
        "Z-Image, Lumina 2 and NewBie",
        ("Lumina2", "ZImage"),
        (("block", "layers"),),
        reads_length=False,
        refiner="context_refiner",
        texts_of_references=True,
    ),
    Family(
        "Flux.2 and Klein", ("Flux2",), DOUBLE_THEN_SINGLE, pads_left=True, reads_references=True
    ),
    Family("Ovis-Image", ("Flux",), DOUBLE_THEN_SINGLE, reads_length=False, told_by="txt_norm"),
    Family("Flux", ("Flux",), DOUBLE_THEN_SINGLE, reads_references=True),
    Family("Chroma", ("Chroma", "ChromaRadiance"), DOUBLE_THEN_SINGLE),
    Family("SD3", ("SD3",), (("block", "joint_blocks"),)),
    Family("Krea 2", ("Krea2",), (("block", "blocks"),)),
    Family("Ideogram 4", ("Ideogram4",), (("block", "layers"),), reads_length=False),
    Family(
        "Anima", ("Anima",), (("block", "blocks"),), reads_length=False, has_cross_attention=True
    ),
    # Llama's last layer, then its layer for the current block.
    Family("HiDream-I1", ("HiDream",), DOUBLE_THEN_SINGLE_STREAM, text_last=True, second_times=2),
)
ENCODERS = (
    Encoder("SD1.x", (("l",),)),
    Encoder("SD2.x", (("h",),)),
    Encoder("SDXL", (("l", "g"),)),
    Encoder("Stable Cascade", (("g",),)),
    Encoder("SD3", (("l", "g"), ("t5xxl",)), two_way=("t5xxl",), free_features=768),
    Encoder("Flux", (("t5xxl",),), pooled=("l",), two_way=("t5xxl",), for_references=True),
    Encoder("Chroma", (("t5xxl",),), two_way=("t5xxl",)),
    Encoder(
        "Qwen-Image",
        (("qwen25_7b",),),
        for_references=True,
        picture_pixels=384 * 384,
        length_lost_by=("QwenImageTokenizer",),
    ),
    Encoder(
        "Z-Image and Flux.2 Klein 4B",
        (("qwen3_4b",),),
        for_references=True,
        not_by=("ZImageTokenizer",),
        length_lost_by=("ZImageTokenizer",),
    ),
    Encoder("Flux.2 Klein 9B", (("qwen3_8b",),), for_references=True),
    Encoder("Flux.2", (("mistral3_24b",),), for_references=True),
    Encoder("Lumina 2", (("gemma2_2b",),), length_lost_by=("LuminaTokenizer",)),
    Encoder("Lumina 2 with Gemma 3", (("gemma3_4b",),), length_lost_by=("NTokenizer",)),
    Encoder("NewBie", (("gemma",),), pooled=("jina",), length_lost_by=("NewBieTokenizer",)),
    Encoder("Ovis-Image", (("qwen3_2b",),), length_lost_by=("OvisTokenizer",)),
    Encoder("Krea 2 and Mage-Flow", (("qwen3vl_4b",),), length_lost_by=("MageFlowTokenizer",)),
    Encoder(
        "Qwen-Image 2.1 and Ideogram 4",
        (("qwen3vl_8b",),),
        length_lost_by=("QwenImage21Tokenizer", "Ideogram4Tokenizer", "Ideogram4Qwen3VLTokenizer"),
    ),
    Encoder(
        "Anima",
        (("t5xxl",),),
        two_way=("t5xxl",),
        length_lost_by=("AnimaTokenizer",),
        adapter_reads="qwen3_06b",
    ),
    Encoder(
        "HiDream-I1",
        (("t5xxl",),),
        pooled=("l", "g"),
        two_way=("t5xxl",),
        second=("llama",),
        cut=("t5xxl",),
    ),
)


def family_of(model: str, transformer: object) -> Family | None:
    """The family of a class of `comfy.model_base`, by its name, and of its diffusion model; None if
    the pack knows none.
    """
    alike = (family for family in FAMILIES if model in family.models)
    return next(
        (
            family
            for family in alike
            if not family.told_by or getattr(transformer, family.told_by, None) is not None
        ),
        None,
    )
