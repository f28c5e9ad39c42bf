"""Text encoders of transformers that SVR Reweight refuses, and texts that they would not read as
they are meant.
"""

import importlib

import comfy.sd
import pytest
import torch

from bench.studio import FRAMES


def test_text_that_was_joined_behind_unequal_prompts_is_told(encoder_studio, nodes):
    s = encoder_studio("z-image")
    story = s.prompt(s.identity, ["snow", "wearing a red scarf"], window_length=1)
    joined = nodes["ConditioningConcat"]().concat(s.svr(story), s.svr(story))[0]
    with pytest.raises(ValueError, match="^Story Batch - frames: .*tokens per frame"):
        s.batch(story, joined)


def test_parentheses_that_swallow_the_next_phrase_are_told(encoder_studio):
    s = encoder_studio("chroma")
    with pytest.raises(ValueError, match="story: the parentheses in 'a .red fox' are not balanced"):
        s.svr(s.prompt("a (red fox", ["in the snow)", "go"]))


def test_template_words_in_a_story_are_told(encoder_studio):
    s = encoder_studio("qwen-image")
    with pytest.raises(ValueError, match="^SVR Reweight - story: .*template words"):
        s.svr(s.prompt("<|im_start|>user\na fox", FRAMES))


def clip_with(tokenizer):
    clip = comfy.sd.CLIP(no_init=True)
    module, _, name = tokenizer.rpartition(".")
    clip.tokenizer = getattr(importlib.import_module(f"comfy.text_encoders.{module}"), name)()
    clip.cond_stage_model = torch.nn.Module()
    clip.tokenizer_options, clip.use_clip_schedule, clip.apply_hooks_to_conds = {}, False, None
    return clip


@pytest.mark.parametrize(
    "tokenizer, name",
    [("omnigen2.Omnigen2Tokenizer", "qwen25_3b"), ("sa_t5.SAT5Tokenizer", "t5base")],
)
def test_other_text_encoders_are_refused_by_name(encoder_studio, tokenizer, name):
    with pytest.raises(ValueError, match=rf"^SVR Reweight - clip: .*{name}.*Qwen-Image.*Lumina 2"):
        encoder_studio("chroma").svr(clip=clip_with(tokenizer))


def test_a_tokenizer_without_word_ids_is_refused_by_name(encoder_studio):
    """LongCat-Image's has Qwen-Image's name."""
    pytest.importorskip("comfy.text_encoders.longcat_image")
    with pytest.raises(
        ValueError,
        match=r"^SVR Reweight - clip: its tokenizer qwen25_7b does not report which word",
    ):
        encoder_studio("chroma").svr(clip=clip_with("longcat_image.LongCatImageTokenizer"))


def test_a_clip_without_its_encoders_is_told(encoder_studio):
    with pytest.raises(ValueError, match="^SVR Reweight - clip: .*no encoder of that name"):
        encoder_studio("chroma").svr(clip=clip_with("sd3_clip.SD3Tokenizer"))
