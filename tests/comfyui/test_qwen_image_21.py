"""Qwen-Image 2.1: only the target's calls are weighted, wherever references are in the text.

Against a bias on the identity's keys, whose places are read off the prefix written out as a list.
ComfyUI's own class where it has one, else the stand-in of bench/toy_qwen21.py.
"""

import importlib
import math

import pytest
import torch
from comfy.ldm.modules.attention import attention_basic

from bench.joint_scene import IDENTITY, IMAGE, LENGTH, Scene
from bench.studio import relative, with_override
from bench.toy_transformers import toy_latent

ROUNDING = 1e-5
# References' sides in latent pixels, and their slots in the text; None where the CONDITIONING names
# none.
REFERENCES = {
    "none": ((), None),
    "after the text": (((2, 3), (4, 2)), None),
    "as large as the target": (((4, 4),), None),
    "in the identity": (((2, 3), (4, 4)), [3, 6]),
    "before the text, and one without a slot": (((4, 4), (2, 2)), [0]),
}


@pytest.fixture(scope="module")
def scene(pack, nodes):
    return Scene("qwen-image-2.1", pack, nodes)


@pytest.fixture(params=list(REFERENCES))
def referred(request, scene):
    """The scene's frame and negative with references, and what each key of the prefix is: a text
    position, or 'image'.
    """
    return in_prefix(scene, *REFERENCES[request.param])


def in_prefix(scene, sides, slots, **frame):
    generator = torch.Generator().manual_seed(4)
    channels = toy_latent(scene.family, 4).shape[1]
    more = (
        {
            "reference_latents": [
                torch.randn(1, channels, *side, generator=generator) for side in sides
            ]
        }
        if sides
        else {}
    )
    if slots is not None:
        more["image_slots"] = slots
    prefix = list(range(LENGTH))
    for slot, (height, width) in reversed(
        list(zip([*(slots or []), *[LENGTH] * len(sides)], sides))
    ):
        prefix[slot:slot] = ["image"] * height * width
    rows, extra = scene.frames([IDENTITY], **frame)[0]
    negative, rest = scene.text(99)
    return [[rows, {**extra, **more}]], [[negative, {**rest, **more}]], prefix


def biased(scene, prefix, strength, factors=None):
    """The target's queries, which have every key, with log(1 + strength) on the identity's; keys
    and values times their `factors`.
    """
    keys = [prefix.index(position) for position in IDENTITY]

    def override(func, q, k, v, heads, mask=None, **kwargs):
        if k.shape[1] != len(prefix) + IMAGE:
            return func(q, k, v, heads, mask, **kwargs)
        assert q.shape[1] == IMAGE and mask is None
        bias = torch.zeros(q.shape[0], 1, IMAGE, k.shape[1])
        chunks = kwargs["transformer_options"]["cond_or_uncond"]
        k, v = k.clone(), v.clone()
        for place, chunk in enumerate(chunks):
            if chunk == 0:
                for position, factor in (factors or {}).items():
                    for tensor in (k, v):
                        tensor[
                            place * len(q) // len(chunks) : (place + 1) * len(q) // len(chunks),
                            prefix.index(position),
                        ] *= factor
                bias[
                    place * len(q) // len(chunks) : (place + 1) * len(q) // len(chunks), ..., keys
                ] = math.log(1 + strength)
        return attention_basic(q, k, v, heads, mask=bias)

    return with_override(scene.model, override)


@pytest.mark.parametrize("inputs", [{}, {"strength": 2.5}])
def test_the_identitys_keys_count_more_often_wherever_references_are(scene, referred, inputs):
    positive, negative, prefix = referred
    ours = scene.sample(scene.ipca(**inputs), positive, negative)
    assert (
        relative(
            ours,
            scene.sample(biased(scene, prefix, inputs.get("strength", 1.0)), positive, negative),
        )
        < ROUNDING
    )
    assert relative(ours, scene.sample(scene.model, positive, negative)) > 100 * ROUNDING


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("references", list(REFERENCES))
def test_factors_are_on_the_words_keys_wherever_references_are(scene, references, strength):
    """Only where the target reads them: what is kept of the prefix must not depend on them."""
    factors = {2: 0.05, 7: 0.3}
    positive, negative, prefix = in_prefix(scene, *REFERENCES[references], factors=[factors])
    ours = scene.sample(scene.ipca(strength=strength), positive, negative)
    assert (
        relative(ours, scene.sample(biased(scene, prefix, strength, factors), positive, negative))
        < ROUNDING
    )
    assert (
        relative(ours, scene.sample(biased(scene, prefix, strength), positive, negative))
        > 100 * ROUNDING
    )


def test_the_prefix_reads_what_it_always_read(scene, referred):
    """Every call of text and references has the same tensors to the last bit; the target's has the
    identity's keys once more.
    """
    positive, negative, prefix = referred

    def calls(model):
        seen = []

        def spy(func, q, k, v, heads, mask=None, **kwargs):
            seen.append((q, k, v))
            return func(q, k, v, heads, mask, **kwargs)

        scene.sample(with_override(model, spy), positive, negative, cfg=1.0, steps=1)
        return seen

    total = len(prefix) + IMAGE
    ours, plain = calls(scene.ipca()), calls(scene.model)
    assert len(ours) == len(plain)
    assert [k.shape[1] for _, k, _ in ours].count(total + len(IDENTITY)) == scene.blocks
    for mine, theirs in zip(ours, plain):
        if theirs[1].shape[1] < total:
            assert all(torch.equal(a, b) for a, b in zip(mine, theirs))


def test_what_is_kept_of_the_prefix_does_not_depend_on_ipca(scene):
    transformer = scene.model.model.diffusion_model

    def run(model, fresh):
        if fresh:
            transformer.reset_prefix_cache(True)
        return scene.sample(model)

    try:
        ours = run(scene.ipca(), fresh=True)
        assert torch.equal(run(scene.model, fresh=False), run(scene.model, fresh=True)), (
            "the prefix kept with IPCA serves without"
        )
        assert torch.equal(run(scene.ipca(), fresh=False), ours), "and the other way round"
    finally:
        transformer.reset_prefix_cache(False)
    assert relative(ours, scene.sample(scene.ipca())) < ROUNDING


def test_dropout_keeps_a_key_for_some_queries(scene):
    """At dropout 1 nothing is added, at 0 all; a half is neither."""
    plain, all_of_it = scene.sample(scene.model), scene.sample(scene.ipca())
    half = scene.sample(scene.ipca(dropout=0.5, dropout_seed=1))
    assert min(relative(half, plain), relative(half, all_of_it)) > 10 * ROUNDING


def test_a_switch_among_the_tokens_is_no_encoder(pack):
    """Its tokenizer says keep_vision beside its tokens, for prompts with pictures."""
    clip = importlib.import_module(f"{pack.__name__}.svr.clip")
    tokens = {"qwen3vl_8b": [[(151644, 1.0, 0), (17, 1.0, 1)]]}
    encoder = type("Encoder", (), {"qwen3vl_8b": object()})()
    fake = type(
        "Clip",
        (),
        {
            "tokenize": lambda self, text, **_: {**tokens, "keep_vision": False},
            "cond_stage_model": encoder,
        },
    )()
    reader = clip.Reader(fake)
    assert reader.kind.name == "Qwen-Image 2.1 and Ideogram 4"
    assert reader.tokenize("a fox") == tokens
