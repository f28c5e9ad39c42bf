"""Small text encoders with random weights in the kinds that transformers read, made of ComfyUI's
own classes.

Real templates, real encoder classes, and the real tokenizers of Qwen, T5 and CLIP, which ComfyUI
ships; Mistral's and Gemma's are tiny files of the real formats (toy_tokenizers). Everything is
seeded.
"""

import comfy.ops
import comfy.sd
import comfy.supported_models_base
import torch
from comfy.text_encoders import flux, hidream, lumina2, pixart_t5, qwen_image, qwen_vl, sd3_clip

try:
    from comfy.text_encoders import z_image  # with Flux.2, from 0.3.75 on
except ImportError:
    z_image = None
try:
    from comfy.text_encoders import newbie, ovis  # from 0.5 on
except ImportError:
    newbie = ovis = None
try:
    from comfy.text_encoders import ideogram4, krea2, mage_flow  # from 0.29 on, or a little before
except ImportError:
    ideogram4 = krea2 = mage_flow = None
try:
    from comfy.text_encoders import anima  # from 2026 on
except ImportError:
    anima = None
try:
    from comfy.text_encoders import qwen_image21  # from 0.37 on
except ImportError:
    qwen_image21 = None

from bench import toy_qwen21_text
from bench.toy_models import G_WIDTH, L_WIDTH, _encoder, randomize
from bench.toy_tokenizers import spiece, tekken

WIDTH = 32
SD3_WIDTH = 4096  # SD3 pads CLIP's columns to T5's width, whatever T5 has
_LLM = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 3,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
# Of these several layers are read: up to the 27th, and up to the last.
_KLEIN, _DEEP = ({**_LLM, "num_hidden_layers": layers} for layers in (28, 36))
# Gemma's and Jina's at once: ComfyUI asks for both by one name.
_NEWBIE = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 3,
    "intermediate_size": 32,
    "num_attention_heads": 4,
}
_T5 = {"d_model": WIDTH, "num_layers": 2, "d_ff": 32, "num_heads": 2, "d_kv": 16}
_CLIPS = {"clip_l_model_config": _encoder(L_WIDTH), "clip_g_model_config": _encoder(G_WIDTH)}


def _klein() -> tuple:
    """Klein's. Older cores do not have it: Z-Image's encoder in three layers there, another
    template, padded to 512.
    """
    if hasattr(flux, "klein_te"):
        return flux.KleinTokenizer, flux.klein_te(), {"qwen3_4b_model_config": _KLEIN}, {}

    class KleinTokenizer(z_image.ZImageTokenizer):
        def __init__(self, embedding_directory=None, tokenizer_data=None):
            super().__init__(embedding_directory, {"qwen3_4b_min_length": 512})
            self.llama_template = (
                "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
            )

    class ThreeLayers(z_image.Qwen3_4BModel):
        def __init__(self, layer=None, layer_idx=None, **more):
            super().__init__(layer=[0, 1, 2], layer_idx=None, **more)

    def encoder(**more):
        return flux.Flux2TEModel(name="qwen3_4b", clip_model=ThreeLayers, **more)

    return KleinTokenizer, encoder, {"qwen3_4b_model_config": _LLM}, {}


def _qwen_image_21() -> tuple:
    """ComfyUI's own where it has one, else the stand-in of bench/toy_qwen21_text.py."""
    if qwen_image21 is not None:
        return qwen_image21.QwenImage21Tokenizer, qwen_image21.te()
    return toy_qwen21_text.QwenImage21Tokenizer, toy_qwen21_text.TextModel


# Tokenizer, encoder, model options, tokenizer data.
KINDS = {
    "qwen-image": lambda: (
        qwen_image.QwenImageTokenizer,
        qwen_image.te(),
        {"qwen25_7b_model_config": _LLM},
        {},
    ),
    "z-image": lambda: (z_image.ZImageTokenizer, z_image.te(), {"qwen3_4b_model_config": _LLM}, {}),
    "qwen-image-2.1": lambda: (*_qwen_image_21(), {"qwen3vl_8b_model_config": _LLM}, {}),
    "klein": _klein,
    "flux2": lambda: (
        flux.Flux2Tokenizer,
        flux.flux2_te(pruned=True),
        {"mistral3_24b_model_config": {**_LLM, "num_hidden_layers": 30}},
        {"tekken_model": tekken()},
    ),
    "lumina2": lambda: (
        lumina2.LuminaTokenizer,
        lumina2.te(),
        {"gemma2_2b_model_config": _LLM},
        {"spiece_model": spiece()},
    ),
    "flux": lambda: (
        flux.FluxTokenizer,
        flux.flux_clip(),
        {**_CLIPS, "t5xxl_model_config": _T5},
        {},
    ),
    "chroma": lambda: (
        pixart_t5.PixArtTokenizer,
        pixart_t5.pixart_te(),
        {"t5xxl_model_config": _T5},
        {},
    ),
    "hidream": lambda: (hidream.HiDreamTokenizer, hidream.hidream_clip(), _hidream_options(), {}),
    "hidream without t5": lambda: (
        hidream.HiDreamTokenizer,
        hidream.hidream_clip(t5=False),
        _hidream_options(),
        {},
    ),
    "sd3": lambda: (sd3_clip.SD3Tokenizer, sd3_clip.sd3_clip(), _sd3_options(), {}),
    "sd3 without t5": lambda: (
        sd3_clip.SD3Tokenizer,
        sd3_clip.sd3_clip(t5=False),
        _sd3_options(),
        {},
    ),
    "sd3 without l": lambda: (
        sd3_clip.SD3Tokenizer,
        sd3_clip.sd3_clip(clip_l=False),
        _sd3_options(),
        {},
    ),
}

if hasattr(flux, "klein_te"):
    KINDS["klein 9b"] = lambda: (
        flux.KleinTokenizer8B,
        flux.klein_te(model_type="qwen3_8b"),
        {"qwen3_8b_model_config": _KLEIN},
        {},
    )
if newbie is not None:
    KINDS["ovis-image"] = lambda: (
        ovis.OvisTokenizer,
        ovis.te(),
        {"qwen3_2b_model_config": _LLM},
        {},
    )
    KINDS["newbie"] = lambda: (
        newbie.NewBieTokenizer,
        newbie.te(),
        {"_model_config": _NEWBIE},
        {"gemma_spiece_model": spiece(), "jina_spiece_model": spiece()},
    )
    KINDS["lumina2 with gemma3"] = lambda: (
        lumina2.NTokenizer,
        lumina2.te(model_type="gemma3_4b"),
        {"gemma3_4b_model_config": _LLM},
        {"spiece_model": spiece()},
    )
if krea2 is not None:
    KINDS["krea2"] = lambda: (
        krea2.Krea2Tokenizer,
        krea2.te(),
        {"qwen3vl_4b_model_config": _DEEP},
        {},
    )
    KINDS["mage-flow"] = lambda: (
        mage_flow.MageFlowTokenizer,
        mage_flow.te(),
        {"qwen3vl_4b_model_config": _LLM},
        {},
    )
    KINDS["ideogram4 with sight"] = lambda: (
        ideogram4.Ideogram4Qwen3VLTokenizer,
        ideogram4.te_qwen3vl(),
        {"qwen3vl_8b_model_config": _DEEP},
        {},
    )
    KINDS["ideogram4"] = lambda: (
        ideogram4.Ideogram4Tokenizer,
        ideogram4.te(),
        {"qwen3vl_8b_model_config": _DEEP},
        {},
    )
# Those whose rows are not the text that a model's attention sees: an adapter in it makes that.
ADAPTED = {}
if anima is not None:
    ADAPTED["anima"] = lambda: (
        anima.AnimaTokenizer,
        anima.te(),
        {"qwen3_06b_model_config": _LLM},
        {},
    )
if z_image is None:
    for newer in ("z-image", "klein", "flux2"):
        del KINDS[newer]


def _sd3_options() -> dict:
    return {
        **_CLIPS,
        "t5xxl_model_config": {**_T5, "d_model": SD3_WIDTH, "num_layers": 1, "vocab_size": 64},
    }


def _hidream_options() -> dict:
    """Three layers of Llama, whose tokens share a small table of embeddings."""
    return {**_CLIPS, "t5xxl_model_config": _T5, "llama_model_config": _LLM}


def toy_encoder(kind: str, seed: int = 2, sight: bool = False) -> comfy.sd.CLIP:
    """A CLIP of that kind, as Load CLIP would make it of a file. Language models need few layers:
    they stay causal.

    With `sight` Qwen2.5-VL can look at pictures, through a small eye of ComfyUI's own class.
    """
    tokenizer, encoder, options, data = {**KINDS, **ADAPTED}[kind]()
    target = comfy.supported_models_base.ClipTarget(tokenizer, encoder)
    clip = comfy.sd.CLIP(target, tokenizer_data=data, model_options=options)
    for part in clip.cond_stage_model.children():
        if hasattr(part.transformer, "visual"):
            del part.transformer.visual  # reads pictures, and is as large as ever
            if sight:
                part.transformer.visual = _small_eye()
        _fold(part.transformer.get_input_embeddings())
    randomize(clip.cond_stage_model, seed)
    return clip


def _small_eye() -> torch.nn.Module:
    shape = {
        "hidden_size": WIDTH,
        "output_hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_heads": 2,
        "num_layers": 2,
    }
    return qwen_vl.Qwen2VLVisionTransformer(
        **shape, device="cpu", dtype=torch.float32, ops=comfy.ops.disable_weight_init
    ).requires_grad_(False)


def _fold(embedding: torch.nn.Module) -> None:
    """Tokens beyond a small table share its rows: the vocabulary stays the tokenizer's own."""
    plain, size = embedding.forward, embedding.weight.shape[0]
    embedding.forward = lambda ids, **more: plain(ids % size, **more)
