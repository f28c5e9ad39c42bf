"""ComfyUI's Apply Style Model (Flux Redux) beside a story: its own node, its own image encoder and
a CLIP Vision output.
"""

import math

import comfy.clip_vision
import comfy.sd
import pytest
import torch
from comfy.ldm.flux.redux import ReduxImageEncoder
from comfy.ldm.modules.attention import attention_basic

from bench.studio import Studio, relative
from bench.toy_encoders import WIDTH, toy_encoder
from bench.toy_models import randomize
from bench.toy_transformers import toy_transformer

FOUR = ["in the snow", "at the sea", "in the forest", "in a village"]
STYLE_TOKENS, IMAGE_TOKENS = 9, 16
ROUNDING = 1e-5
kinds = pytest.mark.parametrize("strength_type", ["multiply", "attn_bias"])


@pytest.fixture(scope="module")
def s(nodes):
    model = toy_transformer("flux", context_in_dim=WIDTH, vec_in_dim=WIDTH)
    return Studio(nodes, model, toy_encoder("flux"), frames=FOUR)


@pytest.fixture(scope="module")
def styled(s):
    """styled(conditioning, strength_type): with the picture's style, as core's node puts it."""
    encoder = ReduxImageEncoder(redux_dim=24, txt_in_features=WIDTH)
    randomize(encoder, 4)
    picture = comfy.clip_vision.Output()
    generator = torch.Generator().manual_seed(1)
    picture["last_hidden_state"] = torch.randn(1, STYLE_TOKENS, 24, generator=generator)

    def apply(conditioning, strength_type):
        return s.core(
            "StyleModelApply",
            conditioning=conditioning,
            style_model=comfy.sd.StyleModel(encoder),
            clip_vision_output=picture,
            strength=0.5,
            strength_type=strength_type,
        )

    return apply


@pytest.fixture(scope="module")
def biased(s):
    """IPCA as a bias on the identity's keys: T5 has no begin token, so they are the first ones."""
    identity = len(s.clip.tokenizer.t5xxl.tokenizer(s.identity)["input_ids"]) - 1  # less its end
    joint = s.frames[0][0].shape[1] + STYLE_TOKENS + IMAGE_TOKENS  # the negative has no style

    def attend(func, q, k, v, heads, mask=None, **kwargs):
        if k.shape[2] != joint:
            return func(q, k, v, heads, mask, **kwargs)
        bias = torch.zeros(1, 1, 1, joint) if mask is None else mask.to(q.dtype).clone()
        bias[..., :identity] += math.log(2)
        bias = bias.reshape(-1, 1, *bias.shape[-2:]).expand(-1, -1, q.shape[2], -1)
        return attention_basic(q, k, v, heads, mask=bias, skip_reshape=True)

    model = s.model.clone()
    model.model_options["transformer_options"]["optimized_attention_override"] = attend
    return model


@kinds
def test_after_story_batch_at_one_frame_per_batch(s, styled, biased, strength_type):
    """Each frame with the style and with its identity, as SVR Reweight's help says."""
    positives, latents, *_ = s.batch(frames_per_batch=1)
    for frame in (0, 2):
        positive = styled(positives[frame], strength_type)
        ours = s.sample(s.ipca(), positive, latents[frame])
        assert relative(ours, s.sample(biased, positive, latents[frame])) < ROUNDING
        for without in (
            s.sample(s.model, positive, latents[frame]),
            s.sample(s.ipca(), positives[frame], latents[frame]),
        ):
            assert relative(ours, without) > 100 * ROUNDING, "style and identity must show"


@kinds
def test_elsewhere_core_refuses_it(s, styled, strength_type):
    """One row of style joins one row of text: neither the story's frames nor a larger batch."""
    larger = s.batch(frames_per_batch=2)[0][0]
    for conditioning in (s.frames, larger):
        with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
            styled(conditioning, strength_type)


@kinds
def test_a_story_of_one_frame_takes_it_before_story_batch_too(s, styled, strength_type):
    story = s.prompt(s.identity, FOUR[:1])
    frames = s.svr(story)
    ours = s.batch(story=story, frames=styled(frames, strength_type))[0][0]
    (after,) = (styled(positive, strength_type) for positive in s.batch(story, frames)[0])
    assert torch.equal(ours[0][0], after[0][0])
    assert ours[0][1].keys() == after[0][1].keys()
