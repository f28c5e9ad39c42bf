"""Z-Image with reference latents of other nodes: their texts come before the prompt's.

Newer cores put [texts of the references, the prompt, further texts | vision | references, picture]
into one joint call. Where the prompt is among them is read off the first attention call of the
plain model: the key that changes with one row of the prompt.
"""

import inspect
import math
import types

import pytest
import torch
from comfy.ldm.lumina.model import NextDiT
from comfy.ldm.modules.attention import attention_basic

from bench.joint_scene import IDENTITY, Scene
from bench.studio import relative
from bench.toy_transformers import SHAPES, TEXT_WIDTH, toy_transformer

ROUNDING = 1e-5
VISION = 24
FACTORS = {7: 0.05, 8: 0.05, 9: 1.5}
if "ref_contexts" not in inspect.signature(NextDiT._forward).parameters:
    pytest.skip("this ComfyUI's Z-Image reads no references", allow_module_level=True)


def made(sides, lengths, vision=False):
    """Entries of a CONDITIONING: latents of these sides, texts of these lengths."""
    generator = torch.Generator().manual_seed(6)

    def noise(*shape):
        return torch.randn(1, *shape, generator=generator)

    entries = {"reference_latents": [noise(16, *side) for side in sides]}
    if lengths:
        entries["reference_latents_text_embeds"] = [noise(length, TEXT_WIDTH) for length in lengths]
    if vision:
        sight = types.SimpleNamespace(image_sizes=[(3, 32, 48)], last_hidden_state=noise(6, VISION))
        entries["clip_vision_outputs"] = [sight]
    return entries


CASES = {
    "one": ("z-image", made([(6, 4)], ())),
    "two, so that texts are as long as pictures": ("z-image", made([(4, 4), (8, 16)], ())),
    "with texts, one longer than a row of padding": ("z-image", made([(4, 6), (4, 4)], (40, 9))),
    "more texts than pictures": ("z-image", made([(4, 4)], (9, 40, 3))),
    "with vision": ("z-image with vision", made([(4, 4)], (9,), vision=True)),
    "Lumina 2, which pads nothing": ("lumina2", made([(4, 6)], (9,))),
}


@pytest.fixture(scope="module")
def scenes(pack, nodes):
    kept = {}

    def get(family):
        if family not in kept:
            scene = Scene(family.removesuffix(" with vision"), pack, nodes)
            if family not in SHAPES:
                scene.model = toy_transformer("z-image", siglip_feat_dim=VISION)
            kept[family] = At(scene)
        return kept[family]

    return get


class At:
    """A scene, and which block of which list is at work."""

    def __init__(self, scene):
        self.scene, self.work = scene, None
        transformer = scene.model.model.diffusion_model
        for name in ("context_refiner", "layers"):
            for number, block in enumerate(getattr(transformer, name)):
                block.register_forward_pre_hook(
                    lambda *_, now=(name, number): setattr(self, "work", now)
                )
                block.register_forward_hook(lambda *_: setattr(self, "work", None))

    def with_override(self, override):
        model = self.scene.model.clone()
        model.model_options["transformer_options"]["optimized_attention_override"] = override
        return model

    def first_keys(self, positive):
        """[tokens, width] of the first attention call."""
        seen = []

        def spy(func, q, k, v, heads, mask=None, **kwargs):
            seen.append(k.transpose(1, 2).flatten(2) if kwargs.get("skip_reshape") else k)
            return func(q, k, v, heads, mask, **kwargs)

        self.scene.sample(self.with_override(spy), positive, cfg=1.0, steps=1)
        return seen[0][0].flatten(1)

    def places(self, positive, columns):
        """Where these rows of the prompt are among the texts' keys."""
        plain, found = self.first_keys(positive), {}
        for column in columns:
            [[rows, extra]] = positive
            rows = rows.clone()
            rows[:, column] += 1
            changed = (self.first_keys([[rows, extra]]) != plain).any(dim=1).nonzero()
            (found[column],) = changed.flatten().tolist()
        return found

    def biased(self, places, strength=1.0, factors=None):
        """log(1 + strength) on the identity's keys in every block of the positive rows, keys and
        values times `factors` there and in the refiner.
        """

        def override(func, q, k, v, heads, mask=None, **kwargs):
            if self.work is None:
                return func(q, k, v, heads, mask, **kwargs)
            split = kwargs.get("skip_reshape", False)
            chunks = kwargs["transformer_options"]["cond_or_uncond"]
            rows = q.shape[0] // len(chunks)
            k, v = k.clone(), v.clone()
            bias = torch.zeros(q.shape[0], 1, 1, k.shape[2 if split else 1])
            for row in (row for row in range(q.shape[0]) if chunks[row // rows] == 0):
                for column, factor in (factors or {}).items():
                    for tensor in (k, v):
                        tensor[row].select(1 if split else 0, places[column]).mul_(factor)
                if self.work[0] == "layers":
                    bias[row, ..., [places[column] for column in IDENTITY]] = math.log(1 + strength)
            if v.ndim == 4 and not split:
                v = v.flatten(2)
            bias = bias.expand(-1, -1, q.shape[2 if split else 1], -1)
            return attention_basic(q, k, v, heads, mask=bias, skip_reshape=split)

        return self.with_override(override)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("strength, factors", [(1.0, {}), (2.5, FACTORS), (0.0, FACTORS)])
def test_the_identity_and_factors_are_found_behind_the_references_texts(
    scenes, case, strength, factors
):
    family, references = CASES[case]
    at = scenes(family)
    scene = at.scene
    [[rows, extra]] = scene.frames([IDENTITY], factors=[factors])
    positive = [[rows, {**extra, **references}]]
    negative = [[each, {**more, **references}] for each, more in [scene.text(99)]]
    places = at.places(positive, (*IDENTITY, *factors))
    assert all(place > column for column, place in places.items()), "the prompt is not the first"
    assert len({place - column for column, place in places.items()}) == 1
    # Texts after the prompt: ComfyUI itself cannot sample them with a negative in the same batch.
    cfg = 1.0 if case == "more texts than pictures" else 3.0
    ours = scene.sample(scene.ipca(strength=strength), positive, negative, cfg)
    other = scene.sample(at.biased(places, strength, factors), positive, negative, cfg)
    assert relative(ours, other) < ROUNDING
    plain = scene.sample(scene.model, positive, negative, cfg)
    assert relative(ours, plain) > 100 * ROUNDING, "it must make a difference"
