"""Little memory and the Cancel button: same pictures, and nothing left over."""

import comfy.model_management
import pytest
import torch

from bench.references import bias_form
from bench.studio import Studio, relative
from bench.toy_models import toy_model

ROUNDING = 5e-5
LITTLE = 400_000  # bytes: some of the toy model's layers fit


@pytest.fixture
def s(studio, shape):
    return studio(shape)


@pytest.mark.parametrize("memory", [1, LITTLE])
def test_a_model_that_is_loaded_in_part(s, nodes, shape, monkeypatch, memory):
    """--novram and --lowvram: layers stay elsewhere and are cast when they run, LoRAs at that
    moment.
    """
    model = toy_model(shape)
    keys = [key for key in model.model_state_dict() if "attn2.to_v.weight" in key]
    model.add_patches(
        {key: ("diff", (torch.full_like(model.model_state_dict()[key], 0.05),)) for key in keys},
        1.0,
    )
    lent = Studio(nodes, model, s.clip)
    whole = lent.sample(lent.ipca())
    comfy.model_management.unload_all_models()

    load = comfy.model_management.LoadedModel.model_load
    monkeypatch.setattr(
        comfy.model_management.LoadedModel,
        "model_load",
        lambda self, lowvram_model_memory=0, *args, **kwargs: load(self, memory, *args, **kwargs),
    )
    elsewhere = []

    def spy(apply, args):
        elsewhere.append(
            sum(
                bool(getattr(module.attn2.to_k, "comfy_cast_weights", False))
                for module in model.model.diffusion_model.modules()
                if hasattr(module, "attn2")
            )
        )
        return apply(args["input"], args["timestep"], **args["c"])

    patched = lent.ipca()
    patched.set_model_unet_function_wrapper(spy)
    in_part = lent.sample(patched)
    assert min(elsewhere) > 0, "attn2 must have been off the device, or this says nothing"
    assert relative(in_part, whole) < ROUNDING
    assert relative(in_part, lent.sample(lent.model)) > 100 * ROUNDING


@pytest.mark.parametrize("weights", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_fp8_weights(s, nodes, shape, weights):
    """ComfyUI casts each layer when it runs; the memory goes through the same layers."""
    small = Studio(nodes, toy_model(shape, dtype=weights, computed_in=torch.float32), s.clip)
    ours = small.sample(small.ipca())
    assert relative(ours, small.sample(bias_form(small))) < ROUNDING
    assert relative(ours, small.sample(small.model)) > 100 * ROUNDING


class Cancelled(comfy.model_management.InterruptProcessingException):
    pass


@pytest.mark.parametrize("step", [0, 1, 2])
def test_cancel_between_steps(s, step):
    """The same patched MODEL, as ComfyUI keeps it in its cache, is right in the next run."""
    model = s.ipca(start_at_step=1)
    before = s.sample(model, steps=3)

    def cancel(number, *args):
        if number == step:
            raise Cancelled

    with pytest.raises(Cancelled):
        s.sample(model, steps=3, callback=cancel)
    assert torch.equal(s.sample(model, steps=3), before)


def test_cancel_inside_a_unet_call(s):
    model = s.ipca()
    before = s.sample(model)
    cancelled = model.clone()

    def cancel(func, *args, **kwargs):
        raise Cancelled

    cancelled.model_options["transformer_options"]["optimized_attention_override"] = cancel
    with pytest.raises(Cancelled):
        s.sample(cancelled)
    assert torch.equal(s.sample(model), before)
    assert torch.equal(s.sample(s.ipca()), before)
