"""What transformers' text encoders make of a story: which rows of a CONDITIONING have which tokens,
read off by the tokenizers' own decoding, and SVR restated through the rows' Gram matrix.

None of this shares a line with the pack: it is what the pack is tested against.
"""

import torch

ROWS = "one_prompt_one_story_rows"
LLAMA = "conditioning_llama3"  # HiDream's second text: every layer of Llama
# Of models that normalise every row before they read it: there SVR is factors on keys and values,
# and rows stay as they are.
LOST = (
    "qwen-image",
    "qwen-image-2.1",
    "mage-flow",
    "z-image",
    "lumina2",
    "lumina2 with gemma3",
    "newbie",
    "ovis-image",
    "ideogram4",
    "ideogram4 with sight",
)
# What follows the text: a template's end, or T5's end token.
QWEN = "<|im_end|>\n<|im_start|>assistant\n"
THINKING = f"{QWEN}<think>\n\n</think>\n\n"
GEMMAS = ("lumina2", "lumina2 with gemma3", "newbie")
ENDS = {
    **dict.fromkeys(
        (
            "qwen-image",
            "qwen-image-2.1",
            "z-image",
            "krea2",
            "mage-flow",
            "ideogram4",
            "ideogram4 with sight",
        ),
        QWEN,
    ),
    **dict.fromkeys(("klein", "klein 9b", "ovis-image"), THINKING),
    **dict.fromkeys(GEMMAS, ""),
    "flux2": "[/INST]",
    "flux": "</s>",
}


def tokenizer_of(clip, key):
    return getattr(clip.tokenizer, key, None) or getattr(clip.tokenizer, f"clip_{key}")


def read(clip, key, ids):
    """The text that a tokenizer itself makes of token ids."""
    tokenizer = tokenizer_of(clip, key).tokenizer
    return getattr(tokenizer, "tokenizer", tokenizer).decode(ids).strip()


def tokens_in(clip, key, text):
    tokenizer = tokenizer_of(clip, key).tokenizer
    tokenize = getattr(tokenizer, "tokenize", None) or (
        lambda text: tokenizer(text)["input_ids"]
    )  # ComfyUI's own, for Mistral
    return len(tokenize(text)) if text else 0


def layers(entry, llama):
    """The tensors [frames, rows, columns] of an entry: its CONDITIONING's one, or all of
    Llama's.
    """
    return entry[1][LLAMA].unbind(1) if llama else (entry[0],)


def phrases_of(row, llama):
    return row.second if llama else row.phrases


def blocks(clip, kind, prompt, cond):
    """(encoder, its first row, its last row + 1, columns, token ids of these rows) of every block
    of a CONDITIONING.
    """
    tokens = {
        key: [pair[0] for chunk in chunks for pair in chunk]
        for key, chunks in clip.tokenize(prompt).items()
        if chunks
    }
    rows = cond.shape[1]
    if kind.startswith("hidream"):
        keys = ["llama"] if kind == "hidream without t5" else ["t5xxl", "llama"]
        return [(key, 0, len(tokens[key]), slice(None), tokens[key]) for key in keys]
    if not kind.startswith("sd3"):
        key = next(key for key in tokens if key not in ("l", "g"))
        return [(key, 0, rows, slice(None), tokens[key][-rows:])]
    columns = {
        "l": slice(0, 32),
        "g": slice(768, 832) if kind == "sd3 without l" else slice(32, 96),
    }
    towers = [
        (key, 0, 77, columns[key], tokens[key])
        for key in ("l", "g")
        if getattr(clip.cond_stage_model, f"clip_{key}") is not None
    ]
    return towers + (
        [] if kind == "sd3 without t5" else [("t5xxl", 77, rows, slice(None), tokens["t5xxl"])]
    )


def reference(rows, phrases, frame, ends, eot_apart, scale):
    """The paper's passes on rows [T, d]. With X X^T = Q S^2 Q^T, X becomes Q beta exp(alpha S /
    scale) Q^T X.
    """
    out = rows.double()
    passes = [(phrase, -0.01, 0.05) for index, phrase in enumerate(phrases) if index != frame] + [
        (phrases[frame], 0.01, 1.0)
    ]
    for phrase, alpha, beta in passes:
        chosen = phrase if eot_apart else phrase + ends
        squares, q = torch.linalg.eigh(out[chosen] @ out[chosen].T)
        factor = beta * torch.exp(alpha * squares.clamp(min=0).sqrt() / scale)
        out[chosen] = (q * factor) @ q.T @ out[chosen]
        if eot_apart:
            out[ends] *= 0.9
    return out.float()
