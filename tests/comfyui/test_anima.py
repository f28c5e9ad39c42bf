"""Anima: the image reads the text in cross-attention, and the text is made in the model, by an
adapter, of the prompt's T5 tokens. ComfyUI has it from 2026 on.

Against attention by hand in the calls of the blocks' own cross-attention layers, and against
ComfyUI's own encoding and sampling, frame by frame.
"""

import math

import comfy.supported_models
import pytest
import torch
from comfy.ldm.modules.attention import attention_basic

if not hasattr(comfy.supported_models, "Anima"):
    pytest.skip("this ComfyUI has no Anima", allow_module_level=True)

from bench.studio import Studio, relative, with_override
from bench.toy_anima import BLOCKS, toy_anima
from bench.toy_encoders import toy_encoder

ROUNDING = 1e-5
ROWS = "one_prompt_one_story_rows"
TEXT = 512  # positions, filled up by ComfyUI


class AnimaStudio(Studio):
    def __init__(self, nodes):
        super().__init__(nodes, toy_anima(), toy_encoder("anima"))
        self.reading = -1  # the block that reads the text now
        for number, block in enumerate(self.model.model.diffusion_model.blocks):
            block.cross_attn.register_forward_pre_hook(
                lambda *_, number=number: setattr(self, "reading", number)
            )
            block.cross_attn.register_forward_hook(lambda *_: setattr(self, "reading", -1))

    def rendered(self, model_for, frames=None, story=None, **inputs):
        """The frames' latents, one after the other. `model_for` gives the model for a row."""
        batches = self.batch(story, frames or self.frames, model=self.model, **inputs)
        return torch.cat(
            [
                self.sample(model_for(positive[0][1][ROWS]), positive, latent, steps=2)
                for positive, latent in zip(*batches[:2])
            ]
        )

    def rendered_with(self, model, *args, **inputs):
        return self.rendered(lambda _: model, *args, **inputs)

    def by_hand(self, strength, blocks=range(BLOCKS)):
        """For a row, the model with log(1 + strength) on the logits of the identity's tokens, and
        keys and values times the row's factors, where the chosen blocks read the text.
        """

        def model_for(rows):
            (row,) = rows
            places = [place for phrase in row.present for place in row.phrases[phrase]]

            def override(func, q, k, v, heads, mask=None, **kwargs):
                chunks = kwargs["transformer_options"]["cond_or_uncond"]
                if self.reading < 0 or 0 not in chunks:
                    return func(q, k, v, heads, mask, **kwargs)
                assert k.shape[2] == TEXT and len(k) == len(chunks) and kwargs["skip_reshape"]
                own = chunks.index(0)
                bias, k, v = torch.zeros(len(q), 1, 1, TEXT), k.clone(), v.clone()
                if self.reading in blocks:
                    bias[own, ..., places] = math.log(1 + strength)
                for place, factor in row.factors:
                    k[own, :, place] *= factor
                    v[own, :, place] *= factor
                mask = bias.expand(-1, -1, q.shape[2], -1)
                return attention_basic(q, k, v, heads, mask=mask, skip_reshape=True)

            return with_override(self.model, override)

        return model_for


@pytest.fixture(scope="module")
def studio(pack, nodes):
    return AnimaStudio(nodes)


def test_phrases_are_found_among_t5s_tokens(studio):
    """By the words that the tokenizer writes for their numbers."""
    cond, extra = studio.frames[0]
    words = studio.clip.tokenizer.t5xxl.tokenizer.convert_ids_to_tokens(extra["t5xxl_ids"].tolist())
    for row in extra[ROWS]:
        told = ["".join(words[place] for place in phrase) for phrase in row.phrases]
        said = [studio.identity, *studio.story.frames]
        assert [text.replace("\u2581", " ").strip() for text in told] == said
    assert torch.equal(cond, cond[:1].expand_as(cond)), "all frames share one prompt, as it is"


@pytest.mark.parametrize("inference", [True, False])
@pytest.mark.parametrize("inputs", [{}, {"strength": 2.5}, {"strength": 0.5, "blocks": "1-2"}])
def test_the_identitys_tokens_count_more_often(studio, inputs, inference):
    """With the adapter before the sampling, as ComfyUI runs it, and inside every call."""
    blocks = range(1, 3) if "blocks" in inputs else range(BLOCKS)
    with torch.inference_mode(inference):
        ours = studio.rendered_with(studio.ipca(**inputs))
        theirs = studio.rendered(studio.by_hand(inputs.get("strength", 1.0), blocks))
        assert relative(ours, theirs) < ROUNDING
        unweighted = studio.rendered(studio.by_hand(0.0))
        assert relative(ours, unweighted) > 100 * ROUNDING


def test_the_other_frames_words_are_turned_down_on_keys_and_values(studio):
    assert all(0.05 in dict(row.factors).values() for row in studio.frames[0][1][ROWS])
    ours = studio.rendered_with(studio.ipca(strength=0.0))
    assert relative(ours, studio.rendered(studio.by_hand(0.0))) < ROUNDING
    plain = studio.rendered_with(studio.model)
    assert relative(ours, plain) > 100 * ROUNDING
    assert torch.equal(plain[0], plain[1]) and not torch.equal(ours[0], ours[1])


def test_a_picture_with_as_many_tokens_as_the_text(studio):
    """256 x 512 pixels are 512 tokens: attention among them looks like attention to the text."""
    size = {"width": 256, "height": 512, "select": "1"}
    ours = studio.rendered_with(studio.ipca(), **size)
    assert ours.shape[-2:] == (64, 32)
    assert relative(ours, studio.rendered(studio.by_hand(1.0), **size)) < ROUNDING


@pytest.mark.parametrize("window_length", [1, 2])
def test_prompts_that_differ_are_each_ones_own(studio, window_length):
    """Unweighted they are ComfyUI's own, encoded and sampled one by one."""
    story = studio.prompt(studio.identity, studio.story.frames, window_length)
    frames = studio.svr(story, mode="original")
    settings = {"noise": "per frame", "frames_per_batch": 1}
    ours = studio.rendered_with(studio.model, frames, story, **settings)
    windows = {1: ["0", "1", "2"], 2: ["01", "12", "20"]}[window_length]
    _, latents, *_ = studio.batch(story, frames, model=studio.model, **settings)
    for number, (window, latent) in enumerate(zip(windows, latents, strict=True)):
        text = " ".join([studio.identity, *(studio.story.frames[int(each)] for each in window)])
        alone = studio.sample(studio.model, studio.encode(text), latent, steps=2)
        assert relative(ours[number : number + 1], alone) < ROUNDING


@pytest.mark.parametrize("window_length", [1, 10])
def test_every_frame_has_a_batch_of_its_own(studio, window_length, caplog):
    """ComfyUI's adapter reads one row at a time."""
    story = studio.prompt(studio.identity, studio.story.frames, window_length)
    frames = studio.svr(story)
    positives, latents, *_ = studio.batch(story, frames, model=studio.model, frames_per_batch=0)
    assert [len(positive[0][0]) for positive in positives] == [1, 1, 1]
    assert [len(latent["samples"]) for latent in latents] == [1, 1, 1]
    assert "reads one frame at a time" in caplog.text


def test_several_frames_at_once_are_refused(studio):
    _, latents, *_ = studio.batch(model=studio.model)
    with pytest.raises(ValueError, match="^IPCA Patch - story: Anima reads one frame at a time"):
        studio.sample(studio.ipca(), studio.frames, latents[0], steps=1)
