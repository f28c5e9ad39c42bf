"""Devices that are not there: `meta` stands in for a GPU, since it raises at mixed devices and at
any look at a value.
"""

import pytest
import torch

from bench.devices import Captured, Float64, copied
from bench.joint_scene import IDENTITY, Scene

SETTINGS = [{}, {"blocks": "coarse"}]
NEEDS_STEPS = {"start_at_step": 1, "dropout": 0.3}  # these look up the step: one look per call


@pytest.fixture
def s(studio, shape):
    return studio(shape)


@pytest.fixture(scope="module", params=["flux", "qwen-image", "z-image", "sd3", "hidream"])
def scene(request, pack, nodes):
    from bench.toy_transformers import SHAPES

    if request.param not in SHAPES:
        pytest.skip(f"this ComfyUI has no {request.param}")
    return Scene(request.param, pack, nodes)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_unet_call_reads_nothing_back_and_mixes_no_devices(s, settings):
    call = Captured(s.ipca(**settings), lambda model: s.sample(model, steps=1))
    assert call.again("meta").device.type == "meta"
    assert torch.equal(
        call.again(), Captured(s.ipca(**settings), lambda model: s.sample(model, steps=1)).again()
    )


def test_a_unet_call_of_a_cast_with_a_longer_negative(s):
    story = s.prompt(
        "A photo of\n@girl: a girl\n@dog: a brown dog",
        ["@girl at sea", "@dog in snow", "nobody's beach @nobody"],
    )
    positive, latent = s.story_batch(story=story, frames=s.svr(story))
    negative = s.encode("word " * 100)
    call = Captured(
        s.ipca(story=story),
        lambda model: s.sample(model, positive, latent, negative=negative, steps=1),
    )
    call.again("meta")


def test_the_stand_in_sees_a_look_at_a_value(s):
    """Settings by steps look up a call's sigma, which is one look, and this is what it comes to."""
    call = Captured(s.ipca(**NEEDS_STEPS), lambda model: s.sample(model, steps=1))
    with pytest.raises((NotImplementedError, RuntimeError)):
        call.again("meta")


def test_a_joint_call_reads_nothing_back_and_mixes_no_devices(scene):
    try:
        Captured(scene.model, lambda model: scene.sample(model, steps=1)).again("meta")
    except (NotImplementedError, RuntimeError) as error:
        pytest.skip(f"ComfyUI's own {scene.family} looks at values: {error}")
    Captured(scene.ipca(), lambda model: scene.sample(model, steps=1)).again("meta")
    Captured(scene.ipca(), lambda model: scene.sample(model, scaled(scene), steps=1)).again("meta")


def scaled(scene):
    """A frame's prompt with factors on its words' keys and values."""
    return scene.frames([IDENTITY], factors=[{7: 0.05, 8: 0.05, 9: 1.5}])


def float64_of(call):
    """How many operations with 64-bit floats the run's model calls have."""
    with Float64() as used:
        for x, t, c in call.calls:
            call.model.apply_model(x, t, **copied(c))
    return used.count


@pytest.mark.parametrize("settings", [{}, {"strength": 3.0, "start_at_step": 1, "dropout": 0.2}])
def test_no_unet_call_needs_float64(s, settings):
    assert float64_of(Captured(s.ipca(**settings), lambda model: s.sample(model, steps=2))) == 0


def test_no_joint_call_needs_float64(scene):
    """ComfyUI's own rope takes it where a device has it."""
    ours, stock = (
        float64_of(Captured(model, lambda model: scene.sample(model, scaled(scene), steps=2)))
        for model in (scene.ipca(strength=3.0, dropout=0.2), scene.model)
    )
    assert ours == stock
