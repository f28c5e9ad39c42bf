"""Pictures of the cast that the text encoder looks at: they are in the prompt as by ComfyUI's own
node, and its phrases are found after them.
"""

import pytest
import torch
from comfy.text_encoders.qwen_vl import process_qwen2vl_images

from bench.reference_scene import (
    BOTH,
    CASTS,
    DOG,
    FRAMES,
    STYLE,
    TEXTS,
    WHOLE_IDENTITY,
    ReferenceScene,
)

ROWS = "one_prompt_one_story_rows"


@pytest.fixture(scope="module")
def edit(nodes):
    return ReferenceScene("qwen-image-edit", nodes)


def by_plus(scene, text, *images, vae=None):
    slots = {f"image{number}": image for number, image in enumerate(images, 1)}
    return scene.core("TextEncodeQwenImageEditPlus", clip=scene.clip, prompt=text, vae=vae, **slots)


def test_a_text_encoder_that_looks_at_pictures_sees_them_as_by_cores_node(edit):
    """At one megapixel the reference latents are those of core's node too."""
    story = edit.refer(edit.prompt(edit.identity, FRAMES[2:3], 1), DOG, "dog", megapixels=1.0)
    (positive,) = edit.batch(story, edit.svr(story, mode="original"))[0]
    ((cond, extra),) = positive
    ((expected, theirs),) = by_plus(edit, f"{WHOLE_IDENTITY} {TEXTS[2]}", DOG, vae=edit.vae)
    assert torch.equal(cond, expected)
    assert [latent.shape for latent in extra["reference_latents"]] == [
        latent.shape for latent in theirs["reference_latents"]
    ]
    assert torch.equal(extra["reference_latents"][0], theirs["reference_latents"][0])


def test_phrases_are_found_behind_pictures(edit, monkeypatch):
    """By the tokenizer's own decoding, where every picture has the rows that its patches take."""
    story, frames = edit.told({"": STYLE, **BOTH}, window_length=10)
    phrases = story.phrases(tuple(range(5)))
    tokenize, seen = edit.clip.tokenize, []
    monkeypatch.setattr(
        edit.clip,
        "tokenize",
        lambda *args, **more: seen.append(tokenize(*args, **more)) or seen[-1],
    )
    decode = edit.clip.tokenizer.qwen25_7b.tokenizer.decode
    for frame, row in enumerate(frames[0][1][ROWS]):
        images = [STYLE, *(image for name, image in BOTH.items() if name in CASTS[frame].split())]
        by_plus(edit, " ".join(phrases), *images)
        tokens = []
        for token, *_ in seen[-1]["qwen25_7b"][0]:
            tokens += (
                [token]
                if isinstance(token, int)
                else [None] * (int(process_qwen2vl_images(token["data"])[1].prod()) // 4)
            )
        tokens = tokens[-row.length :]
        assert [
            decode([tokens[place] for place in places]).strip() for places in row.phrases
        ] == list(phrases)
    assert len({row.length for row in frames[0][1][ROWS]}) == 4, "longer prompts for more pictures"


def test_reweighting_leaves_pictures_alone(edit):
    """This family loses a row's length: the rows stay, and no picture's key has a factor."""
    story, plain = edit.told(BOTH, window_length=10)
    cond, extra = edit.svr(story)[0]
    assert torch.equal(cond, plain[0][0])
    for row in extra[ROWS]:
        weakened = {place for place, factor in row.factors if factor == pytest.approx(0.05)}
        frames = [set(places) for places in row.phrases[len(row.identity) :]]
        assert sum(places <= weakened for places in frames) == len(frames) - 1, (
            "all but the frame's own words"
        )
        assert min(place for place, _ in row.factors) >= row.phrases[0][0]


def test_frames_share_a_prompt_only_with_frames_of_the_same_pictures(edit, monkeypatch):
    encoded = []
    encode = edit.clip.encode_from_tokens_scheduled
    monkeypatch.setattr(
        edit.clip,
        "encode_from_tokens_scheduled",
        lambda *args, **more: encoded.append(1) or encode(*args, **more),
    )
    edit.told(BOTH, window_length=10)
    assert len(encoded) == 4, "girl, dog, both, nobody"
