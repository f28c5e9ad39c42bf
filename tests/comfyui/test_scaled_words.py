"""Factors on the keys and values of words, against an override that shares no code with them, and
against SVR on a UNet.
"""

import dataclasses
import functools
import importlib

import comfy.samplers
import pytest
import torch
from comfy_api.latest import io

from bench.joint_scene import IDENTITY, LENGTH, Scene
from bench.studio import Studio, defaults_of, relative, with_override
from bench.toy_encoders import toy_encoder
from bench.toy_transformers import SHAPES

ROUNDING = 1e-5  # float32, two steps
FACTORS = {
    7: 0.05,
    8: 0.05,
    9: 1.5,
    10: 1.5,
    11: 0.0,
}  # another frame's words, the frame's own, the end of text
OTHERS = {7: 1.5, 8: 1.5, 9: 0.05, 10: 0.05, 4: 0.2}
REFINED = [family for family in ("lumina2", "newbie", "z-image") if family in SHAPES]
LOST = [
    family
    for family in ("qwen-image", "mage-flow", "ovis-image", "ideogram4", *REFINED)
    if family in SHAPES
]


@pytest.fixture(scope="module")
def scenes(pack, nodes):
    made = {}

    def get(family):
        if family not in made:
            made[family] = Scene(family, pack, nodes)
        return made[family]

    return get


def told(scene, factors=FACTORS):
    return scene.frames([IDENTITY], factors=[factors])


@pytest.mark.parametrize("family", sorted(SHAPES))
@pytest.mark.parametrize("strength", [1.0, 2.5])
def test_factors_beside_the_identity(scenes, family, strength):
    """A record's factors hold in any transformer, wherever its text is among the keys."""
    scene = scenes(family)
    ours, identity_alone = (
        scene.sample(scene.ipca(strength=strength), told(scene)),
        scene.sample(scene.ipca(strength=strength)),
    )
    assert relative(ours, scene.sample(scene.biased(strength, factors=FACTORS))) < ROUNDING
    assert relative(ours, identity_alone) > 100 * ROUNDING


@pytest.mark.parametrize("family", LOST)
def test_strength_0_leaves_the_factors(scenes, family):
    scene = scenes(family)
    ours = scene.sample(scene.ipca(strength=0.0), told(scene))
    assert relative(ours, scene.sample(scene.biased(0.0, factors=FACTORS))) < ROUNDING
    assert relative(ours, scene.sample(scene.model)) > 100 * ROUNDING
    assert torch.equal(
        scene.sample(scene.ipca(strength=0.0, dropout=0.5, start_at_step=1), told(scene)), ours
    )
    assert torch.equal(scene.sample(scene.ipca(strength=0.0)), scene.sample(scene.model)), (
        "without factors nothing is done"
    )


@pytest.mark.parametrize("family", REFINED)
def test_factors_hold_where_the_text_attends_to_itself(scenes, family):
    scene = scenes(family)
    ours = scene.sample(scene.ipca(), told(scene))
    joint_alone = scene.sample(scene.biased(factors=FACTORS, refined=False))
    assert relative(ours, joint_alone) > 100 * ROUNDING, (
        "or the refiner would not have to be told apart"
    )


@pytest.mark.parametrize("family", LOST)
def test_factors_of_1_change_no_bit(scenes, family):
    scene = scenes(family)
    for settings in ({}, {"strength": 3.0}, {"dropout": 0.3}):
        ours = scene.ipca(**settings)
        assert torch.equal(
            scene.sample(ours, told(scene, dict.fromkeys(range(LENGTH), 1.0))), scene.sample(ours)
        )


@pytest.mark.parametrize("family", LOST)
def test_cfg_1_and_a_negative_of_another_length(scenes, family):
    scene = scenes(family)
    reference = scene.biased(factors=FACTORS)
    assert (
        relative(scene.sample(scene.ipca(), told(scene), cfg=1.0), scene.sample(reference, cfg=1.0))
        < ROUNDING
    )
    longer = [list(scene.text(99, length=20))]
    if family == "z-image":  # both are padded to one length there
        longer = [list(scene.text(99, length=40))]
    assert (
        relative(
            scene.sample(scene.ipca(), told(scene), longer),
            scene.sample(reference, negative=longer),
        )
        < ROUNDING
    )


@pytest.mark.parametrize("length", [LENGTH, 20], ids=["batched", "apart"])
@pytest.mark.parametrize("family", LOST)
def test_the_negatives_rows_stay_the_same_to_the_last_bit(scenes, family, length):
    scene = scenes(family)

    ours, plain = (
        scene.first_outputs(model, told(scene), length)
        for model in (scene.ipca(strength=0.0), scene.model)
    )
    assert torch.equal(ours[1], plain[1])
    assert not torch.equal(ours[0], plain[0])


@pytest.mark.parametrize("family", LOST)
def test_frames_of_one_batch_each_have_their_own_factors(scenes, family):
    if family == "lumina2" and "z-image" not in SHAPES:
        pytest.skip(
            "before 0.3.75 ComfyUI itself cannot sample Lumina 2 with several prompts in a batch"
        )
    scene = scenes(family)
    places, factors = [(2, 3), (2, 3), (), (7, 8, 9)], [FACTORS, OTHERS, OTHERS, {}]
    together = scene.frames(places, factors=factors)
    batch = scene.sample(scene.ipca(), together)
    for row, (columns, own) in enumerate(zip(places, factors)):
        (rows, extra), key = together[0], scene.rows.ROWS_KEY
        tensors = {
            name: value[row : row + 1] for name, value in extra.items() if torch.is_tensor(value)
        }
        alone = [[rows[row : row + 1], {**extra, **tensors, key: extra[key][row : row + 1]}]]
        reference = scene.biased(columns=columns, factors=own)
        assert relative(batch[row : row + 1], scene.sample(scene.ipca(), alone)) < ROUNDING
        assert relative(batch[row : row + 1], scene.sample(reference, alone)) < ROUNDING


@pytest.mark.parametrize("family", LOST)
def test_factors_hold_in_every_block_and_at_every_step(scenes, family):
    scene = scenes(family)
    sigmas = comfy.samplers.calculate_sigmas(
        scene.model.get_model_object("model_sampling"), "simple", 2
    ).tolist()
    reference = scene.biased(
        chosen={0}, active=lambda sigma: abs(sigma - sigmas[1]) < 1e-4, factors=FACTORS
    )
    ours = scene.sample(
        scene.ipca(blocks="0" if scene.blocks < 4 else "double0", start_at_step=1), told(scene)
    )
    assert relative(ours, scene.sample(reference)) < ROUNDING
    hidden = scene.sample(scene.ipca(dropout=1.0), told(scene))
    assert relative(hidden, scene.sample(scene.biased(0.0, factors=FACTORS))) < ROUNDING, (
        "nothing is kept of the identity"
    )


@pytest.mark.parametrize("family", LOST)
def test_any_order_with_another_override_and_no_mask(scenes, family):
    scene = scenes(family)
    masks = []

    def theirs(func, q, k, v, heads, mask=None, **kwargs):
        masks.append(mask)
        return func(q, k, v, heads, mask, **kwargs) * 1.25

    own = scene.sample(with_override(scene.model, theirs)), [mask is None for mask in masks]
    masks.clear()
    before = scene.sample(scene.ipca(with_override(scene.model, theirs), strength=0.0), told(scene))
    assert [mask is None for mask in masks] == own[1], (
        "a mask of ours would send flash and sage away"
    )
    assert torch.equal(
        before, scene.sample(with_override(scene.ipca(strength=0.0), theirs), told(scene))
    )
    assert relative(before, own[0]) > 100 * ROUNDING


def test_another_storys_frame_keeps_its_factors_and_a_silent_one_has_none(scenes):
    scene = scenes("qwen-image")
    (rows, extra), key = told(scene)[0], scene.rows.ROWS_KEY
    other = [[rows, {**extra, key: (dataclasses.replace(extra[key][0], identity=("a dog",)),)}]]
    assert (
        relative(
            scene.sample(scene.ipca(), other), scene.sample(scene.biased(0.0, factors=FACTORS))
        )
        < ROUNDING
    )
    silent = [[torch.zeros_like(rows), extra]]  # Conditioning Zero Out
    assert torch.equal(scene.sample(scene.ipca(), silent), scene.sample(scene.model, silent))


@pytest.mark.parametrize("factors, told_of", [({}, True), (FACTORS, False)])
def test_words_that_nothing_turns_down_are_said(scenes, warnings_of, factors, told_of):
    scene = scenes("qwen-image")
    scene.sample(scene.ipca(), told(scene, factors), steps=1)
    assert any("window_length" in line for line in warnings_of()) == told_of


@pytest.mark.parametrize("mode", ["svr", "svr-eot"])
def test_on_a_unet_factors_are_svr_without_alphas(pack, studio, mode):
    """An independent check: SD1.5 has one encoder, and its attn2's keys and values are linear in
    the embedding without a bias.
    """
    s = studio("sd15")
    betas = {
        "enhance_alpha": 0.0,
        "weaken_alpha": 0.0,
        "enhance_beta": 1.5,
        "weaken_beta": 0.2,
        "mode": mode,
    }
    positive, latent = s.story_batch(frames=s.svr(**betas))
    by_svr = s.sample(s.model, positive, latent)
    part = {
        name: importlib.import_module(f"{pack.__name__}.{name}")
        for name in ("svr.encode", "svr.reweight", "ipca.plan")
    }
    scaled, positions = (
        importlib.import_module(f"{pack.__name__}.ipca.transformer.{name}")
        for name in ("scaled", "positions")
    )
    _, layouts = part["svr.encode"].prompt_layouts(s.clip, (s.identity, *s.story.frames))
    weights = part["svr.reweight"].Weights
    targets = [
        positions.Positions(
            (),
            77,
            0,
            3,
            part["svr.reweight"].factors(
                layouts["l"], frame, weights(0, 1.5), weights(0, 0.2), mode == "svr-eot"
            ),
        )
        for frame in (1, 2, 3)
    ]

    def override(func, q, k, v, heads, mask=None, **kwargs):
        if k.shape[1] == 77:
            chunks = kwargs["transformer_options"]["cond_or_uncond"]
            of_rows = [
                target for chunk in chunks for target in (targets if chunk == 0 else [None] * 3)
            ]
            scaling = scaled.Scaling(
                part["ipca.plan"].groups_of(of_rows), lambda target: target.factors, k.device
            )
            k, v = scaling.of(k, 1), scaling.of(v, 1)
        return func(q, k, v, heads, mask, **kwargs)

    model = with_override(s.model, override)
    positive, latent = s.story_batch(frames=s.svr(mode="original"))
    assert relative(s.sample(model, positive, latent), by_svr) < ROUNDING
    assert relative(s.sample(s.model, positive, latent), by_svr) > 100 * ROUNDING


@pytest.fixture(scope="module")
def encoder():
    return functools.cache(toy_encoder)


PATCH = {"class_type": "IPCAPatch", "inputs": {"model": ["4", 0]}}
GRAPHS = {
    "without IPCA Patch": ({}, ["4", 0], True),
    "with it": ({"6": PATCH}, ["6", 0], False),
    "with it on another sampler": (
        {"6": PATCH, "7": {"class_type": "KSampler", "inputs": {"model": ["6", 0]}}},
        ["4", 0],
        True,
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("kind", ["qwen-image", "chroma"])
def test_words_that_no_ipca_patch_turns_down_are_said_once(nodes, warnings_of, encoder, kind, name):
    """Chroma reads how long a row is, so there SVR Reweight does it itself."""
    more, model, told_of = GRAPHS[name]
    graph = {
        "1": {"class_type": "SVRReweight", "inputs": {}},
        "2": {"class_type": "StoryBatch", "inputs": {"frames": ["1", 0]}},
        "3": {"class_type": "KSampler", "inputs": {"positive": ["2", 0], "model": model}},
        "4": {"class_type": "UNETLoader", "inputs": {}},
        **more,
    }
    s = Studio(nodes, None, encoder(kind))
    node = nodes["SVRReweight"]
    hidden = {io.Hidden.unique_id: "1", io.Hidden.prompt: graph}
    told = node.PREPARE_CLASS_CLONE({**hidden, "hidden_inputs": hidden})
    told.execute(**{**defaults_of(node), "clip": s.clip, "story": s.story})
    assert sum("nothing is turned down" in line for line in warnings_of()) == (
        told_of and kind == "qwen-image"
    )
