"""A stand-in for the text encoder of Qwen-Image 2.1, which ComfyUI has from 0.37 on.

The same name of tokenizer and tokens, the same order of turns, and rows from the second one on;
inside is the small Qwen2.5-VL that every ComfyUI has. It reads text only.
"""

from comfy import sd1_clip
from comfy.text_encoders.qwen_image import Qwen25_7BVLIModel, Qwen25_7BVLITokenizer

NAME = "qwen3vl_8b"
TURN = 151644  # <|im_start|>
TEMPLATE = (
    "<|im_start|>system\nRead this.<|im_end|>\n"
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)


class QwenImage21Tokenizer(sd1_clip.SD1Tokenizer):
    def __init__(self, embedding_directory=None, tokenizer_data=None):
        super().__init__(
            embedding_directory=embedding_directory,
            tokenizer_data=tokenizer_data or {},
            name=NAME,
            tokenizer=Qwen25_7BVLITokenizer,
        )

    def tokenize_with_weights(self, text, return_word_ids=False, **others):
        text = text if text.startswith("<|im_start|>") else TEMPLATE.format(text)
        tokens = super().tokenize_with_weights(
            text, return_word_ids=return_word_ids, disable_weights=True
        )
        return {**tokens, "keep_vision": False}


class TextModel(sd1_clip.SD1ClipModel):
    def __init__(self, device="cpu", dtype=None, model_options=None):
        super().__init__(
            device=device,
            dtype=dtype,
            name=NAME,
            clip_model=Qwen25_7BVLIModel,
            model_options=model_options or {},
        )

    def encode_token_weights(self, token_weight_pairs):
        """Rows from the user's turn on; the mask, which hides nothing, is left out."""
        rows, pooled, extra = super().encode_token_weights(token_weight_pairs)
        ids = [token[0] for token in token_weight_pairs[NAME][0]]
        turns = [place for place, token in enumerate(ids) if token == TURN]
        extra.pop("attention_mask", None)
        return rows[:, turns[1] :], pooled, extra
