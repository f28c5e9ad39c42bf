"""Pictures of the cast: each frame sees those of who is in it, as ComfyUI's own graph for that
frame would have it.
"""

import math

import pytest
import torch
from comfy.ldm.modules.attention import attention_basic

from bench.reference_scene import (
    BOTH,
    CASTS,
    DOG,
    FRAMES,
    GIRL,
    HERE,
    STYLE,
    ReferenceScene,
    picture,
)
from bench.studio import relative, with_override

ROWS = "one_prompt_one_story_rows"


@pytest.fixture(scope="module", params=HERE)
def scene(request, nodes):
    return ReferenceScene(request.param, nodes)


@pytest.fixture(scope="module")
def flux(nodes):
    return ReferenceScene("flux", nodes)


def same(left, right):
    return [torch.equal(a, b) for a, b in zip(left, right)]


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_every_frame_is_what_cores_own_graph_gives(scene, cfg):
    pictures = {"": STYLE, **BOTH}
    ours = scene.rendered(pictures, cfg)
    plain = scene.rendered({}, cfg)
    for frame in range(len(FRAMES)):
        assert torch.equal(ours[frame], scene.by_core(frame, pictures, cfg)), frame
        assert not torch.equal(ours[frame], plain[frame]), (
            "a picture makes a difference, or the comparison says nothing"
        )


def test_a_frame_sees_nobody_who_is_not_in_it(scene):
    both, girl, dog, none = map(scene.rendered, (BOTH, {"girl": GIRL}, {"dog": DOG}, {}))
    assert same(both, girl) == ["dog" not in cast for cast in CASTS]
    assert same(both, dog) == ["girl" not in cast for cast in CASTS]
    assert same(both, none) == [not cast for cast in CASTS]


def test_two_characters_exchange_their_pictures(scene):
    """The same picture on both sides changes nothing; another changes only those frames that have
    either of them.
    """
    before = scene.rendered(BOTH)
    assert same(before, scene.rendered({"girl": DOG, "dog": GIRL})) == [not cast for cast in CASTS]
    assert same(before, scene.rendered({"girl": STYLE, "dog": DOG})) == [
        "girl" not in cast for cast in CASTS
    ]


@pytest.mark.parametrize(
    "inputs",
    [
        {"frames_per_batch": 0},
        {"select": "3,5"},
        {"parts": 2, "part_index": 1},
        {"select": "1-3", "frames_per_batch": 2},
    ],
)
def test_batches_change_cost_and_no_content(scene, inputs):
    whole = scene.rendered(BOTH)
    told = {"3,5": [2, 4], "1-3": [0, 1, 2]}.get(
        inputs.get("select"), [2, 3, 4] if "parts" in inputs else range(5)
    )
    for frame, latent in zip(told, scene.rendered(BOTH, **inputs), strict=True):
        torch.testing.assert_close(latent, whole[frame], rtol=1e-5, atol=1e-5)


def test_frames_that_see_the_same_share_a_batch(scene):
    frames = ["@girl one", "@girl two", "@girl and @dog three", "@dog four", "@dog five"]
    story, told = scene.told(BOTH, window_length=10, frames=frames)
    together = [len(positive[0][0]) for positive in scene.batch(story, told, frames_per_batch=0)[0]]
    assert together == [2, 1, 2]
    for one, other in zip(
        *(scene.sampled(story, told, frames_per_batch=at_once) for at_once in (0, 1)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_a_megapixel_is_as_many_keys_as_the_help_says(scene):
    """4096 of the reference beside the text's and the 16 of the frame; Qwen's text has 196 rows of
    the picture besides.
    """
    lengths = set()

    def spy(func, q, k, *args, **kwargs):
        lengths.add(k.shape[2 if kwargs.get("skip_reshape") else 1])
        return func(q, k, *args, **kwargs)

    model = with_override(scene.model, spy)
    story = scene.refer(
        scene.prompt(scene.identity, FRAMES[:1], 1), picture(1, 64, 64), "girl", megapixels=1.0
    )
    scene.sampled(story, scene.svr(story, mode="original"), model=model, steps=1)
    (length,) = lengths
    text = scene.core(
        "CLIPTextEncode", clip=scene.clip, text=f"{story.identity} {story.frames[0]}"
    )[0][0].shape[1]
    if scene.sighted:  # "Picture 1: " and the marks around it are a few rows more
        assert 196 <= length - 4096 - 16 - text <= 196 + 8
    else:
        assert length == 4096 + 16 + (max(512, text) if scene.vae.pixels == 16 else text)


def test_a_take_changes_one_frame(flux):
    assert same(flux.rendered(BOTH), flux.rendered(BOTH, retake="3")) == [
        True,
        True,
        False,
        True,
        True,
    ]


def test_frames_of_other_references_share_no_batch(flux):
    frames = ["@girl one", "@girl two", "@dog three", "@girl and @dog four", "@girl five"]
    story, told = flux.told(BOTH, frames=frames)
    positives = flux.batch(story, told, frames_per_batch=0)[0]
    assert [len(positive[0][0]) for positive in positives] == [2, 1, 1, 1]
    assert [len(positive[0][1]["reference_latents"]) for positive in positives] == [1, 1, 2, 1]
    for positive in positives:
        assert all(latent.shape[0] == 1 for latent in positive[0][1]["reference_latents"])


def test_ours_come_after_cores_which_are_cut_along_the_frames(flux):
    """Five latents of ReferenceLatent are one per frame; as many pictures of a character all go to
    each of her frames.
    """
    story = flux.prompt(flux.identity, FRAMES, 1)
    story = flux.refer(story, torch.cat([picture(seed) for seed in range(5)]), "girl")
    five = torch.arange(1.0, 6).view(5, 1, 1, 1).expand(5, 16, 8, 8)
    frames = flux.core("ReferenceLatent", conditioning=flux.svr(story), latent={"samples": five})
    for frame, positive in enumerate(flux.batch(story, frames, frames_per_batch=1)[0]):
        first, *ours = positive[0][1]["reference_latents"]
        assert first.shape[0] == 1 and first.unique().tolist() == [frame + 1]
        expected = (
            [flux.vae.encode(picture(seed)) for seed in range(5)] if "girl" in CASTS[frame] else []
        )
        assert len(ours) == len(expected) and all(map(torch.equal, ours, expected))
    assert len(frames[0][1]["reference_latents"]) == 1, "the input is left as it is"


def test_story_reference_may_run_again_where_svr_reweight_does_not(flux):
    """As with ComfyUI's caches of few results: the same picture, encoded once more."""
    before, again = (flux.refer(flux.story, GIRL.clone(), "girl") for _ in range(2))
    (positive, *_), *_ = flux.batch(again, flux.svr(before), select="1")
    assert torch.equal(positive[0][1]["reference_latents"][0], before.references[0].latent)
    with pytest.raises(ValueError, match="its references are not those of the frames"):
        flux.batch(flux.refer(flux.story, GIRL.flip(2), "girl"), flux.svr(before))


def test_a_picture_is_encoded_once(flux):
    flux.vae.encoded.clear()
    flux.rendered(BOTH)
    assert flux.vae.encoded == [(1, 64, 96, 3), (1, 80, 64, 3)]


def test_the_story_before_stays_as_it_is(flux):
    story = flux.prompt(flux.identity, FRAMES)
    flux.refer(story, GIRL)
    assert story.references == ()
    for positive in flux.batch(story, flux.svr(story))[0]:
        assert "reference_latents" not in positive[0][1]


@pytest.mark.parametrize(
    "size, megapixels, expected",
    [((64, 96), 0.25, (416, 624)), ((500, 300), 0.01, (136, 80)), ((65, 67), 0, (65, 67))],
)
def test_sizes(flux, size, megapixels, expected):
    flux.vae.encoded.clear()
    flux.refer(flux.story, picture(1, *size), megapixels=megapixels)
    assert flux.vae.encoded == [(1, *expected, 3)]


def test_a_list_of_pictures_is_one_characters(flux):
    node = flux.nodes["StoryReference"]
    given = {"vae": [flux.vae], "character": ["girl"], "megapixels": [0.0]}
    (story,) = node.execute(story=[flux.story], image=[GIRL, DOG], **given).args[0]
    assert [reference.picture.shape for reference in story.references] == [GIRL.shape, DOG.shape]
    first, second = node.execute(story=[flux.story, flux.story], image=[GIRL, DOG], **given).args[0]
    assert [len(each.references) for each in (first, second)] == [1, 1]
    assert torch.equal(second.references[0].picture, DOG)


def biased(scene, story, frames, frame, references):
    """The model with log 2 on the keys of the frame's identity; text comes first, then the
    picture's 16 keys, then the references'.
    """
    (row,) = [frames[0][1][ROWS][frame]]
    places = [place for phrase in row.present for place in row.phrases[phrase]]
    patch = scene.model.model.diffusion_model.patch_size
    pictures = 16 + sum(
        math.ceil(latent.shape[-2] / patch) * math.ceil(latent.shape[-1] / patch)
        for latent in references
    )

    def override(func, q, k, v, heads, mask=None, **kwargs):
        split = kwargs.get("skip_reshape", False)
        length = k.shape[2 if split else 1]
        bias = torch.zeros(1, 1, 1, length)
        bias[..., [place + length - pictures - row.length for place in places]] = math.log(2)
        mask = bias.expand(-1, -1, length, -1)
        return attention_basic(q, k, v, heads, mask=mask, skip_reshape=split)

    return with_override(scene.model, override)


def test_ipca_counts_the_identitys_words_again_and_no_picture(scene):
    story, frames = scene.told(BOTH)
    ours = scene.sampled(story, frames, model=scene.ipca(story=story))
    plain = scene.sampled(story, frames)
    for frame in (0, 2):
        references = [reference.latent for reference in story.references_of(frame)]
        model = biased(scene, story, frames, frame, references)
        (theirs,) = scene.sampled(story, frames, model=model, select=str(frame + 1))
        assert relative(ours[frame], theirs) < 1e-5
        assert relative(ours[frame], plain[frame]) > 1e-4
