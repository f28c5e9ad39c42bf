"""Story Score's fit of pictures to their captions, against ComfyUI's own text and vision towers."""

import math

import pytest
import torch

from bench.score_scene import embedding, refused, score
from bench.toy_models import toy_clip
from bench.toy_vision import toy_vision


def test_fit_is_the_mean_cosine_to_the_own_caption(nodes, vision, pictures):
    clip = toy_clip("sd15")
    captions = ["in a meadow", "in the snow", "on the moon", "(by the sea:1.0)", "at home"]
    fitting = vision(
        "clip",
        projection_dim=clip.cond_stage_model.clip_l.transformer.text_projection.weight.shape[0],
    )
    _, fit, _, report, *_ = score(nodes, pictures, fitting, clip=clip, captions=captions)
    texts = []
    for caption in captions:  # the pooled output of ComfyUI's own encoding, projected
        _, pooled = clip.encode_from_tokens(clip.tokenize(caption), return_pooled="unprojected")
        texts.append(
            pooled[0] @ clip.cond_stage_model.clip_l.transformer.text_projection.weight.float().T
        )
    texts = torch.nn.functional.normalize(torch.stack(texts).double(), dim=-1)
    expected = (embedding(fitting, "clip", pictures) * texts).sum(-1)
    assert fit == pytest.approx(float(expected.mean()), abs=2e-5)
    assert f"fit {expected[1]:.3f}" in report and "in the snow" in report
    one_text = score(nodes, pictures, fitting, clip=clip, captions="\n".join(captions))
    assert one_text[1] == fit


def test_of_two_towers_the_one_that_fits_is_taken(nodes, vision, pictures):
    clip = toy_clip("sdxl")
    for tower in ("l", "g"):
        weight = getattr(clip.cond_stage_model, f"clip_{tower}").transformer.text_projection.weight
        fitting = vision("clip", projection_dim=weight.shape[0])
        _, fit, *_ = score(nodes, pictures[:1], fitting, clip=clip, captions="in a meadow")
        encoder = getattr(clip.cond_stage_model, f"clip_{tower}")
        encoder.set_clip_options({"projected_pooled": True})
        projected = encoder.encode_token_weights(clip.tokenize("in a meadow")[tower])[1][0]
        encoder.reset_clip_options()
        expected = torch.nn.functional.cosine_similarity(
            embedding(fitting, "clip", pictures[:1])[0], projected.double(), dim=0
        )
        assert fit == pytest.approx(float(expected), abs=2e-5)


def test_a_single_picture_has_no_likeness_but_may_have_a_fit(nodes, vision, pictures):
    likeness, fit, odd, report, chart, _, colours = score(
        nodes, pictures[:1], vision("clip"), captions="in a meadow"
    )
    assert math.isnan(likeness) and math.isnan(fit) and odd == 0 and chart.shape[0] == 1
    assert math.isnan(colours) and "colours" not in report
    assert (
        "a single picture has no other to compare with" in report
        and "clip not connected" in report
        and "in a meadow" in report
    )


def test_a_vision_model_without_a_projection_is_no_clip(nodes, tmp_path, pictures):
    """ComfyUI 0.33 gives such a model, a SigLIP, an Identity in the projection's place."""
    clip = toy_clip("sd15")
    own = clip.cond_stage_model.clip_l.transformer.text_projection.weight.shape[0]
    vision = toy_vision("siglip", tmp_path, hidden_size=own)
    vision.model.visual_projection = torch.nn.Identity()
    with refused("clip: this clip_vision is not a CLIP"):
        score(nodes, pictures[:2], vision, clip=clip, captions=["a", "b"])
