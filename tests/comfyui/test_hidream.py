"""HiDream-I1 from the story to the picture: T5, and every layer of Llama in a second text tensor,
after the image's keys.
"""

import math

import pytest
import torch
from comfy.ldm.modules.attention import attention_basic

from bench.studio import FRAMES, Studio, relative, with_override
from bench.toy_encoders import WIDTH, toy_encoder
from bench.toy_models import G_WIDTH, L_WIDTH
from bench.toy_transformers import toy_transformer

ROWS = "one_prompt_one_story_rows"
LLAMA = "conditioning_llama3"
IMAGE = 16  # image tokens of a latent of 8x8


@pytest.fixture(scope="module")
def s(nodes):
    model = toy_transformer(
        "hidream", caption_channels=[WIDTH, WIDTH], text_emb_dim=L_WIDTH + G_WIDTH
    )
    return Studio(nodes, model, toy_encoder("hidream"))


def biased(s, columns, joint):
    """The model with log 2 on the logits of those keys, in the positive rows of joint calls."""

    def override(func, q, k, v, heads, mask=None, **kwargs):
        if k.shape[1] != joint:  # a negative of another length, called apart
            return func(q, k, v, heads, mask, **kwargs)
        chunks = kwargs["transformer_options"]["cond_or_uncond"]
        bias = torch.zeros(q.shape[0], 1, 1, joint)
        for rows, chunk in zip(bias.chunk(len(chunks)), chunks):
            rows[..., columns] = math.log(2) if chunk == 0 else 0
        return attention_basic(q, k, v, heads, mask=bias.expand(-1, -1, joint, -1))

    return with_override(s.model, override)


@pytest.mark.parametrize(
    "window_length, times",
    [(10, 1), (1, 1), (1, 40)],
    ids=["one prompt", "three", "three of unequal length"],
)
def test_the_identitys_words_count_twice_wherever_they_stand(s, window_length, times):
    """Counted by the tokenizers: T5's words are its first rows, Llama's follow its begin token."""
    texts = [FRAMES[0], " ".join([FRAMES[1]] * times), FRAMES[2]]
    story = s.prompt(s.identity, texts, window_length)
    t5 = len(s.clip.tokenizer.t5xxl.tokenizer(s.identity)["input_ids"]) - 1
    llama = len(s.clip.tokenizer.llama.tokenizer(s.identity)["input_ids"]) - 1
    positives, latents, *_ = s.batch(story, s.svr(story), frames_per_batch=0)
    assert [len(positive[0][0]) for positive in positives] == ([3] if times == 1 else [1, 1, 1])
    for positive, latent in zip(positives, latents, strict=True):
        [[cond, extra]] = positive
        length, second = cond.shape[1], extra[LLAMA].shape[2]
        columns = [IMAGE + row for row in range(t5)]
        columns += [
            IMAGE + length + layer * second + 1 + row for layer in range(2) for row in range(llama)
        ]
        joint = IMAGE + length + 2 * second
        ours = s.sample(s.ipca(story=story), positive, latent, steps=2)
        assert relative(ours, s.sample(biased(s, columns, joint), positive, latent, steps=2)) < 1e-5
        assert relative(ours, s.sample(s.model, positive, latent, steps=2)) > 1e-3


def test_a_weight_in_hidreams_prompt_is_advised_against(s, caplog):
    """ComfyUI takes Llama's layers for its tokens: a weight changes rows of words before it."""
    plain, weighted = (s.encode(text)[0][1][LLAMA] for text in ("a (red) fox", "a (red:1.5) fox"))
    same = [(plain[0, layer, :2] - weighted[0, layer, :2]).abs().max() < 1e-4 for layer in range(3)]
    assert not all(same), "else the warning is out of date"
    s.svr(s.prompt("a (red:1.3) fox", ["in the snow", "a (big:1.2) hat"]))
    assert caplog.text.count("whole layers of llama") == 1
    caplog.clear()
    s.svr(s.prompt("a (red) fox", FRAMES))
    assert "llama" not in caplog.text


def test_a_prompt_that_comfyui_cuts_for_t5_is_told(s, caplog):
    texts = ["in the snow", " ".join(["in the snow"] * 60), "at the pond"]
    cond, extra = s.svr(s.prompt(s.identity, texts))[0]
    assert cond.shape[1] == 128 and extra[LLAMA].shape[2] > 180
    first, long, behind = extra[ROWS][0].phrases[1:]
    assert first and max(long) == 126 and not behind, "the end token is the last"
    assert [len(phrase) for phrase in extra[ROWS][0].second[2:]] == [180, 3]
    assert (
        caplog.text.count("only the beginning of a long prompt") == 1
        and "ends within 'in the snow in" in caplog.text
    )
    caplog.clear()
    s.svr()
    ours = [record for record in caplog.records if record.name == "one-prompt-one-story"]
    assert not ours, "ComfyUI may warn of models that other tests still hold"
