"""A cast through real CLIP classes and real samplers, against rows counted and keys biased
separately.
"""

import pytest
import torch

from bench.cast_scene import (
    CASTS,
    COMMON,
    DOG,
    FRAMES,
    GIRL,
    IDENTITY,
    WORDS,
    CastBias,
    bias_form,
    keys_of,
    spans,
)
from bench.references import published_svr, sites
from bench.studio import relative

ROUNDING = 5e-5
TOWERS = {"sdxl": [slice(0, 32), slice(32, 96)], "sd15": [slice(0, 32)]}


@pytest.fixture
def s(studio, shape):
    return studio(shape)


@pytest.fixture
def story(s):
    return s.prompt(IDENTITY, FRAMES)


@pytest.fixture
def frames(s, story):
    return s.svr(story)


def test_absent_characters_are_turned_down_like_other_frames(s, shape, frames):
    phrases = [COMMON, GIRL, DOG, *WORDS]
    rows = spans(s, phrases)
    ends = list(range(rows[-1][-1] + 1, 77))
    encoding = s.encode(" ".join(phrases))[0][0][0]
    for frame, cast in enumerate(CASTS):
        absent = [rows[place] for place in (1, 2) if place not in cast]
        turned = absent + rows[3:]
        expected = encoding.clone()
        for columns in TOWERS[shape]:
            expected[:, columns] = published_svr(
                encoding[:, columns], turned, len(absent) + frame, ends, eot_apart=False
            )
        torch.testing.assert_close(frames[0][0][frame], expected, rtol=1e-4, atol=1e-4)
        here = [row for place in (0, *cast) for row in rows[place]]
        assert torch.equal(frames[0][0][frame][here], encoding[here])


def test_rows_say_whose_they_are(s, frames):
    rows = frames[0][1]["one_prompt_one_story_rows"]
    assert [row.present for row in rows] == [(0, *cast) for cast in CASTS]
    assert [[0, *row.identity_positions] for row in rows] == [keys_of(s, cast) for cast in CASTS]
    assert [list(columns) for columns in rows[0].phrases] == spans(
        s, [COMMON, GIRL, DOG, *WORDS]
    ) and rows[0].length == 77
    positives = s.batch(
        story=s.prompt(IDENTITY, FRAMES), frames=frames, select="2,4", frames_per_batch=1
    )[0]
    assert [positive[0][1]["one_prompt_one_story_rows"] for positive in positives] == [
        rows[1:2],
        rows[3:],
    ]


@pytest.mark.parametrize("more", [{}, {"strength": 3.0}])
@pytest.mark.parametrize("cfg", [4.0, 1.0])
def test_mixed_casts_equal_a_bias_on_each_rows_own_keys(s, story, frames, more, cfg):
    positive, latent = s.story_batch(story=story, frames=frames)
    ours = s.sample(s.ipca(story=story, **more), positive, latent, cfg=cfg)
    assert (
        relative(ours, s.sample(bias_form(s, frames, **more), positive, latent, cfg=cfg)) < ROUNDING
    )
    everyone = s.sample(bias_form(s, frames, casts=[(1, 2)] * 4, **more), positive, latent, cfg=cfg)
    assert relative(ours[2:3], everyone[2:3]) < ROUNDING
    assert all(
        relative(ours[row : row + 1], everyone[row : row + 1]) > 20 * ROUNDING for row in (0, 1, 3)
    ), "the cast must matter"


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_batches_and_slices_agree_with_singles(s, story, frames, dropout):
    model = s.ipca(story=story, dropout=dropout)
    whole = s.sample(model, *s.story_batch(story=story, frames=frames))
    for inputs, rendered in [
        ({"frames_per_batch": 1}, [0, 1, 2, 3]),
        ({"frames_per_batch": 3}, [0, 1, 2, 3]),
        ({"select": "2,4"}, [1, 3]),
    ]:
        positives, latents, captions = s.batch(story=story, frames=frames, **inputs)[:3]
        pictures = torch.cat(
            [s.sample(model, positive, latent) for positive, latent in zip(positives, latents)]
        )
        assert captions == [WORDS[frame] for frame in rendered]
        assert relative(pictures, whole[rendered]) < ROUNDING


def test_a_conditioning_that_lost_the_entry_is_recognised_by_its_rows(s, story, frames):
    """But for @nobody's, which has the common text alone in common with the identity, and that is
    enough.
    """
    positive, latent = s.story_batch(story=story, frames=frames)
    bare = [
        [cond, {key: value for key, value in extra.items() if not key.startswith("one_prompt")}]
        for cond, extra in positive
    ]
    model = s.ipca(story=story)
    assert torch.equal(s.sample(model, bare, latent), s.sample(model, positive, latent))


@pytest.mark.parametrize("mode", ["original", "svr-eot"])
def test_where_nothing_is_turned_down_only_the_entry_tells_casts_apart(s, story, mode):
    frames = s.svr(story, mode=mode)
    positive, latent = s.story_batch(story=story, frames=frames)
    ours = s.sample(s.ipca(story=story), positive, latent)
    if mode == "original":  # all rows are equal to the last bit, so row by row
        for row, cast in enumerate(CASTS):
            one = [
                [
                    frames[0][0][row : row + 1],
                    {key: frames[0][1][key][row : row + 1] for key in ("pooled_output",)},
                ]
            ]
            alone = s.sample(
                bias_form(s, one, casts=[cast]), one, {"samples": latent["samples"][:1]}
            )
            assert relative(ours[row : row + 1], alone) < ROUNDING
    else:
        assert relative(ours, s.sample(bias_form(s, frames), positive, latent)) < ROUNDING


def test_without_protection_the_padding_is_remembered_and_absent_characters_are_not(
    s, story, frames
):
    girl, dog = spans(s, [COMMON, GIRL, DOG])[1:]
    memory = s.encode(f"{COMMON} {GIRL} {DOG}")[0][0]
    from bench.references import KeysAndValues

    positive, latent = s.story_batch(story=story, frames=frames, select="1")
    kept = [row for row in range(77) if row not in dog]
    ours = s.sample(s.ipca(story=story, protect_identity=False), positive, latent)
    assert (
        relative(ours, s.sample(KeysAndValues(s.model, memory[:, kept]).model, positive, latent))
        < ROUNDING
    )


def test_core_nodes_keep_the_entry_and_regions_keep_the_negative_plain(s, story, frames):
    """For a region of the positive, ComfyUI makes the negative a copy under the positive's uuid: it
    must stay plain.
    """
    area = s.core(
        "ConditioningSetArea", conditioning=frames, width=64, height=32, x=0, y=0, strength=1.0
    )
    mask = torch.zeros(1, 64, 64)
    mask[..., :32] = 1
    masked = s.core(
        "ConditioningSetMask",
        conditioning=frames,
        mask=mask,
        set_cond_area="mask bounds",
        strength=1.0,
    )
    ranged = s.core("ConditioningSetTimestepRange", conditioning=frames, start=0.0, end=0.6)
    for changed in (area, masked, ranged):
        assert (
            changed[0][1]["one_prompt_one_story_rows"] == frames[0][1]["one_prompt_one_story_rows"]
        )
        both = s.core(
            "ConditioningCombine", conditioning_1=changed, conditioning_2=s.encode("a lighthouse")
        )
        both[1:] = [
            [
                cond.expand(4, -1, -1),
                {key: value for key, value in extra.items() if key == "pooled_output"},
            ]
            for cond, extra in both[1:]
        ]
        positive, latent = s.story_batch(story=story, frames=both)
        for cfg in (4.0, 1.0):
            ours = s.sample(s.ipca(story=story, strength=4.0), positive, latent, cfg=cfg)
            assert (
                relative(
                    ours, s.sample(bias_form(s, frames, strength=4.0), positive, latent, cfg=cfg)
                )
                < ROUNDING
            )
            assert relative(ours, s.sample(s.model, positive, latent, cfg=cfg)) > 20 * ROUNDING


def test_a_zeroed_out_story_as_negative_stays_plain(s, story, frames):
    """Conditioning Zero Out keeps the entry but takes the text away."""
    positive, latent = s.story_batch(story=story, frames=frames)
    negative = s.core("ConditioningZeroOut", conditioning=positive)
    assert "one_prompt_one_story_rows" in negative[0][1]
    ours = s.sample(s.ipca(story=story), positive, latent, negative=negative)
    assert (
        relative(ours, s.sample(bias_form(s, frames), positive, latent, negative=negative))
        < ROUNDING
    )


def test_an_encoder_without_causality_is_told_by_the_entry_alone(s, story, frames):
    """Rows that share nothing with the identity's encoding, as a T5's would: which row is whose is
    still known.
    """
    generator = torch.Generator().manual_seed(5)
    strange = [[torch.randn(cond.shape, generator=generator), extra] for cond, extra in frames]
    positive, latent = s.story_batch(story=story, frames=strange)
    foreign = [
        [torch.randn(cond.shape, generator=generator), {"pooled_output": extra["pooled_output"]}]
        for cond, extra in frames
    ]
    calls = []
    patched = s.ipca(story=story)

    def spy(executor, x, timesteps, context, *rest, **kwargs):
        options = rest[2] if len(rest) > 2 else kwargs["transformer_options"]
        calls.append(options["one_prompt_one_story.ipca_call"])
        return executor(x, timesteps, context, *rest, **kwargs)

    from comfy.patcher_extension import WrappersMP

    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "spy", spy)
    s.sample(patched, positive + foreign, latent, steps=1)
    groups = [(call, group) for call in calls for group in call.groups if group.target]
    assert sum(group.stop - group.start for _, group in groups) == 4, (
        "the four rows of the story and no other"
    )
    assert {call.memories[group.target.memory].shape[1] for call, group in groups} == {
        len(keys_of(s, cast)) for cast in CASTS
    }


def test_an_additive_neighbour_beside_mixed_casts(s, story, frames, shape):
    from bench.references import install_additive

    def delta(out, q, k, v, extra_options, **kwargs):
        return 0.5 * torch.tanh(q.flip(-1))

    positive, latent = s.story_batch(story=story, frames=frames)
    bias = CastBias(s, frames, CASTS)
    for place, number, index, _ in sites(s.model):
        bias.model.set_model_attn2_replace(
            lambda q, k, v, o: bias.attend(q, k, v, o) + delta(None, q, k, v, o),
            place,
            number,
            index,
        )
    expected = s.sample(bias.model, positive, latent)
    whole_block = shape == "sd15"
    assert (
        relative(
            s.sample(install_additive(s.ipca(story=story), delta, whole_block), positive, latent),
            expected,
        )
        < ROUNDING
    )
    assert (
        relative(
            s.sample(
                s.ipca(install_additive(s.model, delta, whole_block), story=story), positive, latent
            ),
            expected,
        )
        < ROUNDING
    )


def test_guiders_that_number_otherwise(s, story, frames):
    positive, latent = s.story_batch(story=story, frames=frames)
    inputs = {
        "cond1": positive,
        "cond2": s.encode(""),
        "negative": s.negative,
        "cfg_conds": 4.0,
        "cfg_cond2_negative": 2.0,
        "style": "nested",
    }
    ours, expected = (
        s.sample_with(s.core("DualCFGGuider", model=model, **inputs), latent)
        for model in (s.ipca(story=story), bias_form(s, frames))
    )
    assert relative(ours, expected) < ROUNDING
