"""The demo model through its node, stock samplers and the pack's nodes: real pictures, so that a
story can be judged.
"""

import json

import numpy as np
import pytest
import torch

from bench.inprocess import ROOT
from bench.studio import Studio
from lab.world import measure
from lab.world.captions import frame_phrase
from lab.world.render import NAMES

SIZE = {"width": 256, "height": 256}


@pytest.fixture(scope="module")
def demo(nodes):
    return nodes["StoryDemoModel"].execute().args


@pytest.fixture(scope="module")
def s(nodes, demo):
    model, clip, *_ = demo
    studio = Studio(
        nodes,
        model,
        clip,
        frames=[
            "wearing a scarf in a meadow",
            "playing in the snow",
            "foraging berries in the forest",
            "at the edge of a village with a river",
        ],
    )
    studio.negative = studio.encode("")
    return studio


def pictures(s, model, frames=None, story=None, **more):
    positives, latents, *_ = s.batch(story, frames, frames_per_batch=0, **SIZE)
    return s.sample(model, positives[0], latents[0], **{"steps": 20, "cfg": 4.0, **more}).clamp(
        -1, 1
    )


def test_the_weights_are_small_and_carry_their_record():
    from safetensors import safe_open

    path = ROOT / "demo" / "story-demo.safetensors"
    assert path.stat().st_size <= 12e6
    with safe_open(path, "pt") as weights:
        record = {name: json.loads(value) for name, value in weights.metadata().items()}
        assert {
            weights.get_tensor(name).dtype for name in weights.keys() if name != "token_ids"
        } == {torch.float16}
    assert {"step", "seen", "seed", "data_version", "loss", "hardware"} <= set(record)


def test_the_bundled_story_shows_its_scenes_and_its_fox(s):
    shown = pictures(s, s.ipca(), s.svr())
    assert [measure.scene_of(picture, "fox") for picture in shown] == [
        "meadow",
        "snow",
        "forest",
        "village",
    ]
    for picture, prop in zip(shown, ("scarf", "none", "berries", "none")):
        body, coat = measure.identity_colours(picture, "fox", prop)
        assert body.argmax() == 0 and coat.argmax() == 1, "a red fox with a green coat"


def stories(count):
    """Identities with colours unsaid, so that they are at stake, and four frames each."""
    rng = np.random.default_rng(77)
    for index in range(count):
        scenes = rng.choice(len(NAMES["scene"]), 4, replace=False)
        props = [NAMES["prop"][prop] for prop in rng.integers(len(NAMES["prop"]), size=4)]
        names = [NAMES["scene"][scene] for scene in scenes]
        yield (
            NAMES["kind"][index % len(NAMES["kind"])],
            names,
            props,
            [frame_phrase(*frame, rng) for frame in zip(names, props)],
        )


def test_one_prompt_with_svr_keeps_the_colours_better_than_separate_prompts(s):
    """12 stories, same noise: paired differences of the colour distance, and scenes that stay
    right.
    """
    gains, right = [], {"separate": [], "svr": []}
    for seed, (kind, names, props, frames) in enumerate(stories(12)):
        story = s.prompt(f"A photo of a {kind} with a coat", frames)
        separate = s.encode_each(f"{story.identity} {frame}" for frame in frames)
        distance = {}
        for row, conditioning in (("separate", separate), ("svr", s.svr(story))):
            shown = pictures(
                s, s.model, conditioning, story, seed=seed, steps=6, sampler="dpmpp_2m"
            )
            distance[row] = measure.colour_distance(shown, kind, props)
            right[row] += [
                measure.scene_of(picture, kind) == name for picture, name in zip(shown, names)
            ]
        gains.append(distance["separate"] - distance["svr"])
    gain, error = np.mean(gains), np.std(gains, ddof=1) / len(gains) ** 0.5
    print(
        f"colour distance saved by SVR: {gain:.3f} +- {error:.3f}; scenes right:"
        f" {np.mean(right['separate']):.3f} and {np.mean(right['svr']):.3f}"
    )
    assert gain > 2 * error
    assert np.mean(right["svr"]) >= 0.8 and np.mean(right["separate"]) >= 0.8


@pytest.mark.parametrize(
    "sampler, scheduler",
    [
        ("euler_ancestral", "karras"),
        ("dpmpp_2m", "sgm_uniform"),
        ("uni_pc", "simple"),
        ("ddim", "ddim_uniform"),
    ],
)
def test_stock_samplers_and_schedulers(s, sampler, scheduler):
    with torch.inference_mode():  # as the server does
        shown = pictures(s, s.model, steps=12, seed=1, sampler=sampler, scheduler=scheduler)
    assert [measure.scene_of(picture, "fox") for picture in shown] == [
        "meadow",
        "snow",
        "forest",
        "village",
    ]


def test_vae_round_trip_and_image_to_image(s, demo):
    _, _, vae, _ = demo
    latent = torch.rand(2, 3, 32, 32) * 2 - 1
    image = vae.decode(latent)
    assert image.shape == (2, 256, 256, 3)
    torch.testing.assert_close(vae.encode(image), latent)
    first = pictures(s, s.model, s.svr(), steps=8)
    positives, latents, *_ = s.batch(frames=s.svr(), frames_per_batch=0, latent={"samples": first})
    again = s.sample(s.model, positives[0], latents[0], steps=20, cfg=4.0, denoise=0.3)
    assert (again - first).abs().mean() < 0.25, "a little noise leaves most of the picture"


def test_emphasis_and_clip_skip(s, nodes):
    """Core moves weighted rows away from those of the empty prompt, 1.4 times as far."""
    plain, strong, empty = (
        s.encode(text)[0][0][0]
        for text in ("a red fox in the snow", "a red fox (in the snow:1.4)", "")
    )
    rows = slice(1 + len(["a", "red", "fox"]), 1 + len(["a", "red", "fox", "in", "the", "snow"]))
    torch.testing.assert_close(
        strong[rows], empty[rows] + 1.4 * (plain[rows] - empty[rows]), atol=1e-3, rtol=1e-3
    )
    assert strong[rows].norm() > 1.1 * plain[rows].norm()
    skipped = nodes["CLIPSetLastLayer"]().set_last_layer(s.clip, -2)[0]
    assert not torch.equal(
        skipped.encode_from_tokens(skipped.tokenize("a fox")),
        s.clip.encode_from_tokens(s.clip.tokenize("a fox")),
    )


def test_ipca_sees_its_blocks(s):
    positive = s.svr()
    plain = pictures(s, s.model, positive, steps=2)
    for blocks in ("down1", "mid", "up0"):
        assert not torch.equal(pictures(s, s.ipca(blocks=blocks), positive, steps=2), plain)
