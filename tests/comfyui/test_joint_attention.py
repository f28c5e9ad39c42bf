"""IPCA in ComfyUI's own transformers, against a bias on the identity's keys that shares no code
with it.
"""

import dataclasses
import importlib
import math

import comfy.sample
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch

from bench.joint_scene import IDENTITY, IMAGE, LENGTH, LLAMA, STAGES, Scene, in_llama
from bench.studio import relative, with_override
from bench.toy_transformers import SHAPES, TEXT_WIDTH

ROUNDING = 1e-5  # float32, two steps; seen: 2e-6
FAMILIES = sorted(SHAPES)


@pytest.fixture(scope="module", params=FAMILIES)
def scene(request, pack, nodes):
    return Scene(request.param, pack, nodes)


@pytest.fixture(scope="module")
def flux(pack, nodes):
    return Scene("flux", pack, nodes)


@pytest.mark.parametrize("strength", [1.0, 2.5])
def test_the_identitys_keys_count_more_often(scene, strength):
    ours, plain = scene.sample(scene.ipca(strength=strength)), scene.sample(scene.model)
    assert relative(ours, scene.sample(scene.biased(strength))) < ROUNDING
    assert relative(ours, plain) > 100 * ROUNDING, (
        "it must make a difference, or the comparison says nothing"
    )


def test_cfg_1_and_a_negative_of_another_length(scene):
    """With a negative of another length ComfyUI calls the model for each apart."""
    assert (
        relative(scene.sample(scene.ipca(), cfg=1.0), scene.sample(scene.biased(), cfg=1.0))
        < ROUNDING
    )
    longer = [list(scene.text(99, length=20))]
    assert (
        relative(
            scene.sample(scene.ipca(), negative=longer),
            scene.sample(scene.biased(), negative=longer),
        )
        < ROUNDING
    )


@pytest.mark.parametrize("length", [LENGTH, 20], ids=["batched", "apart"])
def test_the_negatives_rows_stay_the_same_to_the_last_bit(scene, length):
    ours, plain = (
        scene.first_outputs(model, length=length) for model in (scene.ipca(), scene.model)
    )
    assert torch.equal(ours[1], plain[1])
    assert not torch.equal(ours[0], plain[0])


def test_a_frame_without_anybody_and_another_storys_frame_stay_the_same(scene):
    nobody = scene.frames([()])
    plain = scene.sample(scene.model)
    assert torch.equal(scene.sample(scene.ipca(), nobody), plain)
    other = scene.frames([IDENTITY])
    record = other[0][1][scene.rows.ROWS_KEY][0]
    other[0][1][scene.rows.ROWS_KEY] = (dataclasses.replace(record, identity=("a dog",)),)
    assert torch.equal(scene.sample(scene.ipca(), other), plain)
    silent = [
        [torch.zeros_like(other[0][0]), scene.frames([IDENTITY])[0][1]]
    ]  # Conditioning Zero Out
    assert torch.equal(scene.sample(scene.ipca(), silent), scene.sample(scene.model, silent))


def test_frames_of_one_batch_each_have_their_own_cast(scene):
    if scene.family == "lumina2" and "z-image" not in SHAPES:
        pytest.skip(
            "before 0.3.75 ComfyUI itself cannot sample Lumina 2 with several prompts in a batch"
        )
    places = [(2, 3), (7, 8, 9), ()]
    together = scene.frames(places)
    batch = scene.sample(scene.ipca(), together)
    for row, columns in enumerate(places):
        alone = [
            [
                together[0][0][row : row + 1],
                {
                    **together[0][1],
                    **{
                        name: value[row : row + 1]
                        for name, value in together[0][1].items()
                        if torch.is_tensor(value)
                    },
                    scene.rows.ROWS_KEY: together[0][1][scene.rows.ROWS_KEY][row : row + 1],
                },
            ]
        ]
        assert relative(batch[row : row + 1], scene.sample(scene.ipca(), alone)) < ROUNDING
        assert (
            relative(batch[row : row + 1], scene.sample(scene.biased(columns=columns), alone))
            < ROUNDING
        )


def test_any_order_with_another_override(scene):
    """Sage nodes and others put an override of their own, before or after."""
    calls = []

    def theirs(func, q, k, v, heads, mask=None, **kwargs):
        calls.append(k.shape)
        return func(q, k, v, heads, mask, **kwargs) * 1.25

    before = scene.sample(scene.ipca(with_override(scene.model, theirs)))
    lengths = set(calls)
    calls.clear()
    assert torch.equal(before, scene.sample(with_override(scene.ipca(), theirs)))
    assert set(calls) == lengths and any(shape[-2] > IMAGE for shape in lengths), (
        "theirs sees the keys that are laid in"
    )
    assert relative(before, scene.sample(with_override(scene.model, theirs))) > 100 * ROUNDING


def test_blocks_by_number(scene):
    name = next(STAGES[part] for part in STAGES if hasattr(scene.model.model.diffusion_model, part))
    second = scene.sample(scene.ipca(blocks=f"{name}1"))
    assert relative(second, scene.sample(scene.biased(chosen={1}))) < ROUNDING
    half = scene.blocks // 2
    assert (
        relative(
            scene.sample(scene.ipca(blocks="coarse")),
            scene.sample(scene.biased(chosen=range(half))),
        )
        < ROUNDING
    )
    assert (
        relative(
            scene.sample(scene.ipca(blocks="fine")),
            scene.sample(scene.biased(chosen=range(half, scene.blocks))),
        )
        < ROUNDING
    )
    with pytest.raises(ValueError, match=r"^IPCA Patch - blocks: 'down2' .* all, coarse, fine\.$"):
        scene.ipca(blocks="down2")


@pytest.mark.parametrize("family", ["flux", "chroma", "sd3", "hidream"])
def test_the_identitys_rows_appended_to_the_text_give_the_same(pack, nodes, family):
    """No patch at all: where text has no positions, a longer CONDITIONING says the same in all
    blocks at strength 1.
    """
    scene = Scene(family, pack, nodes)
    rows, extra = scene.frames([IDENTITY])[0]
    longer = [[torch.cat([rows, rows[:, list(IDENTITY)]], dim=1), dict(extra)]]
    if LLAMA in extra:
        longer[0][1][LLAMA] = torch.cat(
            [extra[LLAMA], extra[LLAMA][:, :, list(in_llama(IDENTITY))]], dim=2
        )
    ours = scene.sample(scene.ipca(), cfg=1.0)
    assert relative(ours, scene.sample(scene.model, longer, cfg=1.0)) < ROUNDING


@pytest.fixture(scope="module")
def hidream(pack, nodes):
    return Scene("hidream", pack, nodes)


def test_without_t5_hidreams_second_text_counts_alone(hidream):
    rows, extra = hidream.frames([IDENTITY])[0]
    record = dataclasses.replace(extra[hidream.rows.ROWS_KEY][0], phrases=())
    story = [[torch.zeros_like(rows), {**extra, hidream.rows.ROWS_KEY: (record,)}]]
    reference = hidream.biased(keys=hidream.keys_of(IDENTITY)[len(IDENTITY) :])
    assert (
        relative(hidream.sample(hidream.ipca(), story), hidream.sample(reference, story)) < ROUNDING
    )


def test_hidreams_text_stands_behind_a_reference_picture_too(hidream):
    """HiDream-E1's conditioning has one, which is beside the picture."""
    picture = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(5))
    story, negative = (
        [[rows, {**extra, "concat_latent_image": picture}]]
        for rows, extra in (hidream.frames([IDENTITY])[0], hidream.text(99))
    )
    ours = hidream.sample(hidream.ipca(), story, negative)
    assert (
        relative(ours, hidream.sample(hidream.biased(image=2 * IMAGE), story, negative)) < ROUNDING
    )
    assert relative(ours, hidream.sample(hidream.model, story, negative)) > 100 * ROUNDING


def test_steps_and_dropout(flux):
    plain = flux.sample(flux.model, steps=4)
    sigmas = comfy.samplers.calculate_sigmas(
        flux.model.get_model_object("model_sampling"), "simple", 4
    ).tolist()
    reference = flux.biased(active=lambda sigma: any(abs(sigma - on) < 1e-4 for on in sigmas[1:3]))
    assert (
        relative(
            flux.sample(flux.ipca(start_at_step=1, end_at_step=3), steps=4),
            flux.sample(reference, steps=4),
        )
        < ROUNDING
    )
    assert relative(flux.sample(flux.ipca(dropout=1.0), steps=4), plain) < ROUNDING, (
        "nothing is kept of what is laid in"
    )
    some = flux.sample(flux.ipca(dropout=0.5, dropout_seed=1), steps=4)
    assert torch.equal(some, flux.sample(flux.ipca(dropout=0.5, dropout_seed=1), steps=4))
    other = flux.sample(flux.ipca(dropout=0.5, dropout_seed=2), steps=4)
    for different in (plain, other, flux.sample(flux.ipca(), steps=4)):
        assert relative(some, different) > ROUNDING
    two = flux.sample(flux.ipca(dropout=0.5, dropout_seed=1), flux.frames([IDENTITY] * 2), steps=4)
    first = flux.frames([IDENTITY] * 2)[0]
    one = [
        [
            first[0][1:],
            {
                **first[1],
                "pooled_output": first[1]["pooled_output"][1:],
                flux.rows.ROWS_KEY: first[1][flux.rows.ROWS_KEY][1:],
            },
        ]
    ]
    assert (
        relative(two[1:], flux.sample(flux.ipca(dropout=0.5, dropout_seed=1), one, steps=4))
        < ROUNDING
    )


def test_a_models_own_mask_is_kept(pack):
    """Regional prompting and Redux give Flux a mask over all tokens: some keys are seen by no
    query.
    """
    attention = importlib.import_module(f"{pack.__name__}.ipca.attention")
    generator = torch.Generator().manual_seed(3)
    q, k, v = (torch.randn(2, 3, 10, 8, generator=generator) for _ in range(3))
    seen = torch.rand(2, 1, 10, 10, generator=generator) > 0.3
    seen[..., 0] = True
    columns = torch.tensor([0, 4])

    def attend(q, k, v, mask):
        return attention_pytorch(q, k, v, 3, mask=mask, skip_reshape=True)

    logits = q @ k.transpose(-1, -2) / math.sqrt(8)
    for strength in (1.0, 3.0):
        bias = torch.zeros(10)
        bias[columns] = math.log(1 + strength)
        weights = (logits + bias).masked_fill(~seen, -torch.inf).softmax(-1)
        expected = (weights @ v).transpose(1, 2).flatten(2)
        for mask in (seen, torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)):
            out = attention.counted_again(attend, q, k, v, mask, columns, strength, None, 2)
            assert relative(out, expected) < ROUNDING


@pytest.mark.parametrize("strength_type, strength", [("multiply", 0.7), ("attn_bias", 0.3)])
def test_redux_after_story_batch(flux, strength_type, strength):
    """Apply Style Model puts its tokens behind the text, and a mask over all tokens where it is
    told to: the identity stays where it was.
    """
    extra_tokens, generator = 5, torch.Generator().manual_seed(8)
    pictures = torch.randn(extra_tokens, 1, TEXT_WIDTH, generator=generator)
    style = type("Style", (), {"get_cond": lambda self, _: pictures.clone()})()
    [[rows, extra]] = flux.frames([IDENTITY])
    (positive,) = flux.nodes["StyleModelApply"]().apply_stylemodel(
        [[rows, extra]], style, None, strength, strength_type
    )
    total = LENGTH + extra_tokens + IMAGE

    def override(func, q, k, v, heads, mask=None, **kwargs):
        assert k.shape[2] == total and (mask is None) == (strength_type == "multiply")
        bias = torch.zeros(1, 1, 1, total)
        bias[..., list(IDENTITY)] = math.log(2)
        bias = bias.expand(len(q), 1, total, total)
        return func(q, k, v, heads, bias if mask is None else bias + mask.float(), **kwargs)

    model = flux.model.clone()
    model.model_options["transformer_options"]["optimized_attention_override"] = override
    ours = flux.sample(flux.ipca(), positive, cfg=1.0)
    assert relative(ours, flux.sample(model, positive, cfg=1.0)) < ROUNDING
    plain = flux.sample(flux.model, positive, cfg=1.0)
    assert relative(ours, plain) > 100 * ROUNDING


def test_a_run_without_the_story_says_so(flux, warnings_of):
    stranger = [list(flux.text(1))]
    out = flux.sample(flux.ipca(), stranger)
    assert torch.equal(out, flux.sample(flux.model, stranger))
    assert any("nothing is strengthened" in line for line in warnings_of())


def test_a_prompt_of_several_frames_is_told_where_words_have_no_length(scene, warnings_of):
    """That they have none is seen on the model itself: rows a twentieth as long give it the same
    picture.
    """
    scene.sample(scene.ipca(), steps=1)
    rows, extra = scene.frames([IDENTITY])[0]
    same = (
        relative(
            scene.sample(scene.model, [[0.05 * rows, extra]], steps=1),
            scene.sample(scene.model, [[rows, extra]], steps=1),
        )
        < 1e-3
    )
    assert any("window_length" in line for line in warnings_of()) == same


def test_a_second_node_replaces_the_first_and_strength_0_removes_it(flux):
    twice = flux.ipca(flux.ipca(strength=3.0))
    assert torch.equal(flux.sample(twice), flux.sample(flux.ipca()))
    assert torch.equal(flux.sample(flux.ipca(twice, strength=0.0)), flux.sample(flux.model))
    assert flux.ipca(strength=0.0) is flux.model


def test_what_has_no_meaning_is_refused(flux):
    with pytest.raises(
        ValueError, match=r"^IPCA Patch - protect_identity: off does not apply to Flux"
    ):
        flux.ipca(protect_identity=False)
