"""Attention that ignores masks, or is not the model's own: the result is right, or one line says
that it is not.
"""

import functools
import importlib
import sys
import types

import comfy.ldm.modules.attention as core
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP

from bench.joint_scene import IDENTITY, Scene
from bench.references import bias_form
from bench.studio import relative, with_override

ROUNDING = 5e-5
NEED_A_MASK = [{"strength": 10.0}, {"dropout": 0.5, "dropout_seed": 3}]


@pytest.fixture
def s(studio):
    return studio("small")


@pytest.fixture(scope="module", params=["flux", "qwen-image", "sd3"])
def scene(request, pack, nodes):
    return Scene(request.param, pack, nodes)


def swallowing(func, q, k, v, heads, mask=None, attn_precision=None, **kwargs):
    """SageAttention under its older hosts: the mask goes into keywords that nobody reads."""
    return core.attention_basic(q, k, v, heads, **{**kwargs, "_inside_attn_wrapper": True})


def swallowing_at_low_precision(func, q, k, v, heads, mask=None, **kwargs):
    """KJNodes' patch: asked for full precision, it hands over to PyTorch's attention, mask and
    all.
    """
    if kwargs.get("low_precision_attention", True) is False:
        return core.attention_pytorch(q, k, v, heads, mask=mask, **kwargs)
    return swallowing(func, q, k, v, heads, mask, **kwargs)


def refusing(func, q, k, v, heads, mask=None, **kwargs):
    """Flash attention's own function takes no mask."""
    if mask is not None:
        raise RuntimeError("this attention does not support masks")
    return swallowing(func, q, k, v, heads, **kwargs)


OVERRIDES = [swallowing, swallowing_at_low_precision, refusing]


@pytest.mark.parametrize("override", OVERRIDES)
@pytest.mark.parametrize("settings", [{}, *NEED_A_MASK])
def test_a_units_override_that_ignores_masks(s, override, settings, warnings_of):
    expected = s.sample(s.ipca(**settings))
    ours = s.sample(with_override(s.ipca(**settings), override))
    assert relative(ours, expected) < ROUNDING and not warnings_of()
    assert (
        relative(s.sample(s.ipca(with_override(s.model, override), **settings)), expected)
        < ROUNDING
    )


@pytest.mark.parametrize("settings", NEED_A_MASK)
def test_a_unet_on_a_core_whose_sage_ignores_masks(s, settings, monkeypatch):
    """--use-sage-attention: the back end of the whole process, and it has no switch."""
    expected = s.sample(s.ipca(**settings))

    def sage(q, k, v, heads, mask=None, **kwargs):
        return swallowing(None, q, k, v, heads, mask, **kwargs)

    monkeypatch.setattr(core, "optimized_attention", core.wrap_attn(sage))
    assert relative(s.sample(s.ipca(**settings)), expected) < ROUNDING
    assert relative(s.sample(s.ipca()), expected) > ROUNDING


@pytest.mark.parametrize("override", OVERRIDES)
@pytest.mark.parametrize("settings", [{}, *NEED_A_MASK])
def test_a_transformers_override_that_ignores_masks(scene, override, settings):
    expected, plain = scene.sample(scene.ipca(**settings)), scene.sample(scene.model)
    assert (
        relative(scene.sample(with_override(scene.ipca(**settings), override)), expected) < ROUNDING
    )
    assert relative(expected, plain) > 100 * ROUNDING


def test_a_back_end_is_asked_once_in_a_run_and_only_where_a_mask_is_needed(s):
    """The question is a call of 64 tokens; the answer has to be read from the device, so it is not
    asked at every site.
    """
    asked = []

    def override(func, q, k, v, heads, mask=None, **kwargs):
        asked.append(1) if mask is not None and k.shape[1] == 64 else None
        return func(q, k, v, heads, mask=mask, **kwargs)

    s.sample(with_override(s.ipca(), override))
    assert not asked
    widths = {
        module.to_q.out_features
        for name, module in s.model.model.diffusion_model.named_modules()
        if name.endswith("attn2")
    }
    s.sample(with_override(s.ipca(strength=2.0), override), steps=3)
    assert 0 < len(asked) <= len(widths), "once for every width of heads, not for every site"


def without(key):
    """A cache or an attention of its own: what runs inside the model has lost that entry of the
    options.
    """

    def around(executor, *args, **kwargs):
        def bare(value):
            return (
                {name: item for name, item in value.items() if name != key}
                if isinstance(value, dict) and key in value
                else value
            )

        return executor(*map(bare, args), **{name: bare(value) for name, value in kwargs.items()})

    def patched(model):
        clone = model.clone()
        clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "attention of its own", around)
        return clone

    return patched


@pytest.fixture
def page(monkeypatch):
    """What a server would send to the page; in this process there is none."""
    sent = []
    instance = types.SimpleNamespace(
        send_progress_text=lambda text, node_id: sent.append((node_id, text))
    )
    monkeypatch.setitem(
        sys.modules,
        "server",
        types.SimpleNamespace(PromptServer=types.SimpleNamespace(instance=instance)),
    )
    return sent


def not_applied(lines):
    return [line for line in lines if "strengthened nowhere in this run" in line]


def test_a_transformer_whose_attention_takes_no_options(pack, nodes, warnings_of, page):
    flux = Scene("flux", pack, nodes)
    around = without("optimized_attention_override")
    ours = flux.sample(around(flux.ipca()))
    assert torch.equal(ours, flux.sample(flux.model))
    [line] = not_applied(warnings_of())
    assert (
        all(name in line for name in ("TeaCache", "FBCache", "Nunchaku", "raylight")) and not page
    ), "no id, no node to show it on"


def test_a_unet_whose_patches_never_run(s, warnings_of):
    around = without("patches_replace")
    assert torch.equal(s.sample(around(s.ipca())), s.sample(s.model))
    assert len(not_applied(warnings_of())) == 1


def test_the_warning_is_shown_on_the_node(s, pack, warnings_of, page):
    install = importlib.import_module(f"{pack.__name__}.ipca.install")
    wrappers = s.ipca().get_wrappers(WrappersMP.OUTER_SAMPLE, "one_prompt_one_story.ipca")
    side = wrappers[0].__self__.side
    s.sample(without("patches_replace")(install.install(s.model, side, "7")))
    [(node, text)] = page
    assert node == "7" and len(not_applied(warnings_of())) == 1
    assert text.startswith("The identity was not strengthened") and len(text) < 60, (
        "a node shows two short lines"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"start_at_step": 1},
        {"strength": 3.0},
        {"blocks": "coarse"},
        {"start_at_step": 50},
        {"strength": 0.0},
    ],
)
def test_no_such_line_on_a_good_run_or_where_it_is_off_by_choice(s, scene, settings, warnings_of):
    s.sample(s.ipca(**settings))
    scene.sample(scene.ipca(**settings), scene.frames([IDENTITY, ()]))
    assert not not_applied(warnings_of())


def test_a_run_that_was_cancelled_says_nothing(s, warnings_of):
    class Cancelled(Exception):
        pass

    def cancel(*args):
        raise Cancelled

    with pytest.raises(Cancelled):
        s.sample(without("patches_replace")(s.ipca()), callback=cancel)
    assert not not_applied(warnings_of())


def test_a_model_that_is_called_outside_any_run(s, warnings_of):
    """A sampler of another pack's own: nothing says which rows are whose."""
    model = s.ipca()
    options = {
        **model.model_options["transformer_options"],
        "wrappers": model.wrappers,
        "sigmas": torch.ones(1),
    }
    x, text = torch.randn(1, 4, 8, 8), s.frames[0][0][:1]
    y = {"y": torch.zeros(1, s.model.model.adm_channels)} if s.model.model.adm_channels else {}
    ours = s.model.model.apply_model(
        x, torch.ones(1), c_crossattn=text, transformer_options=options, **y
    )
    stock = s.model.model.apply_model(
        x, torch.ones(1), c_crossattn=text, transformer_options={"sigmas": torch.ones(1)}, **y
    )
    assert torch.equal(ours, stock)
    assert sum("outside a run" in line for line in warnings_of()) == 1


def test_nag_by_its_own_sampler_is_refused_with_both_names(s):
    """It appends the negative's prompt to the others, for an attention of its own that no replace
    patch can be.
    """
    unet = s.model.model.diffusion_model
    own = unet.forward
    try:
        unet.forward = lambda x, t, context=None, **kwargs: own(
            x, t, context=torch.cat([context, context[:1]]), **kwargs
        )
        for settings in ({}, {"start_at_step": 5}):
            with pytest.raises(
                ValueError,
                match=r"^IPCA Patch - model: .*ComfyUI-NAG.* 7 prompts for 6 pictures.*NAGuidance",
            ):
                s.sample(s.ipca(**settings))
    finally:
        del unet.forward
    assert relative(s.sample(s.ipca()), s.sample(bias_form(s))) < ROUNDING


class NAGStandIn:
    """As ComfyUI-NAG puts its forwards: on the UNet before a run, on each attn2 in a call."""

    def forward(self, x, timesteps=None, context=None, *args, nag_negative_context=None, **kwargs):
        context = torch.cat([context, nag_negative_context])
        return type(self).forward(self, x, timesteps, context, *args, **kwargs)

    @classmethod
    def on(cls, unet):
        bound = functools.partial(cls.forward, nag_negative_context=torch.zeros(1, 77, 8))
        unet.forward = types.MethodType(bound, unet)
        for name, module in unet.named_modules():
            if name.endswith("attn2"):
                module.forward = types.MethodType(cls.forward, module)


def test_refusing_nag_leaves_nothing_of_it_in_the_model(s, warnings_of):
    unet = s.model.model.diffusion_model
    positive, latent = s.story_batch()
    NAGStandIn.on(unet)
    guider = comfy.samplers.CFGGuider(s.ipca())
    guider.set_conds(positive, s.negative)
    guider.nag_negative_cond = s.negative
    with pytest.raises(ValueError, match="^IPCA Patch - model: ComfyUI-NAG's own sampler node .*"):
        s.sample_with(guider, latent)
    assert not any("forward" in vars(module) for module in unet.modules())
    assert not warnings_of()


def test_what_a_cancelled_run_of_nag_left_is_taken_out_aloud(s, warnings_of):
    unet = s.model.model.diffusion_model
    NAGStandIn.on(unet)
    assert relative(s.sample(s.ipca()), s.sample(bias_form(s))) < ROUNDING
    assert not any("forward" in vars(module) for module in unet.modules())
    assert sum("had left its attention in the model" in line for line in warnings_of()) == 1
