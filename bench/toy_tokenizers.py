"""Tiny tokenizer files in the formats that Mistral's and Gemma's have. The real ones come with the
weights.
"""

import base64
import io
import json

# Words that Mistral's and Gemma's tiny tokenizers know whole; all else they read by pieces and
# bytes.
_CORPUS = (
    "a photo of a red fox with a green coat wearing a scarf in a meadow playing in the snow"
    " foraging berries in the forest fox, red! what? it's 3:30 go no une fée à l'épée with hat"
    " (big) girl boy feeding ducks at the pond"
).split()


def tekken() -> bytes:
    """A tiny tokenizer file of Mistral's format: bytes, and the corpus's words with a space and
    each of their beginnings.
    """
    special = [
        "<unk>",
        "<s>",
        "</s>",
        "[INST]",
        "[/INST]",
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        *(f"<s{n}>" for n in range(4)),
        "<pad>",
    ]
    pieces = [bytes([value]) for value in range(256)]
    for word in dict.fromkeys(_CORPUS):
        text = f" {word}".encode()
        pieces += [text[:size] for size in range(2, len(text) + 1)]
    pieces = list(dict.fromkeys(pieces))
    return json.dumps(
        {
            "config": {
                "default_vocab_size": len(special) + len(pieces),
                "default_num_special_tokens": len(special),
            },
            "vocab": [
                {"rank": rank, "token_bytes": base64.b64encode(piece).decode()}
                for rank, piece in enumerate(pieces)
            ],
            "special_tokens": [
                {"rank": rank, "token_str": name} for rank, name in enumerate(special)
            ],
        }
    ).encode()


def spiece() -> bytes:
    """A tiny SentencePiece model with Gemma's special tokens, trained on the corpus."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(_CORPUS[start:]) for start in range(len(_CORPUS))]),
        model_writer=model,
        vocab_size=400,
        hard_vocab_limit=False,
        model_type="bpe",
        byte_fallback=True,
        add_dummy_prefix=False,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    return model.getvalue()
