"""Positive and negative on two devices, as ComfyUI's MultiGPU CFG Split (0.33 and newer) does: two
copies of the model, each called with its own half of the batch, at the same time. Both devices are
the CPU here.
"""

from concurrent.futures import ThreadPoolExecutor

import comfy.samplers
import pytest
import torch

from bench.joint_scene import Scene
from bench.studio import relative
from bench.toy_models import toy_model
from bench.toy_transformers import toy_transformer

ROUNDING = 1e-5


def split(model, copy):
    """`model` with its negative sent to `copy`, by threads of its own."""

    def in_halves(args):
        model_options = args["model_options"]
        bases = [args["model"], copy.model, args["model"]]

        def half(place):
            conds = [cond if place == other else None for other, cond in enumerate(args["conds"])]
            with torch.inference_mode():
                return comfy.samplers.calc_cond_batch(
                    bases[place], conds, args["input"], args["sigma"], model_options
                )[place]

        with ThreadPoolExecutor() as pool:
            return list(pool.map(half, range(len(args["conds"]))))

    model = model.clone()
    copy.model.current_patcher = copy
    model.set_model_sampler_calc_cond_batch_function(in_halves)
    return model


def by_core(model, copy):
    """The same by ComfyUI's own scheduler of devices, where it has one."""
    if not hasattr(comfy.samplers, "_calc_cond_batch_multigpu"):
        pytest.skip("this ComfyUI does not split")
    model = model.clone()
    copy.model.current_patcher = copy
    model.model_options["multigpu_clones"] = {
        torch.device("cpu"): model,
        torch.device("cpu", 0): copy,
    }
    return model


def calls_of(copy):
    """Filled with one entry per call of the copy's diffusion model."""
    calls = []
    copy.model.diffusion_model.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


@pytest.fixture(params=[split, by_core])
def on_two(request):
    return request.param


@pytest.mark.parametrize("family", ["flux", "qwen-image", "qwen-image-2.1"])
@pytest.mark.parametrize("inputs", [{}, {"strength": 2.5, "dropout": 0.3}])
def test_a_transformers_halves_give_the_same_picture(pack, nodes, family, inputs, on_two):
    scene = Scene(family, pack, nodes)
    places = [(2, 3), (7, 8, 9)]
    copy = toy_transformer(family)
    calls = calls_of(copy)
    ours = scene.sample(on_two(scene.ipca(**inputs), copy), scene.frames(places))
    assert len(calls) == 2, "one per step"
    assert relative(ours, scene.sample(scene.ipca(**inputs), scene.frames(places))) < ROUNDING
    assert relative(ours, scene.sample(scene.model, scene.frames(places))) > 100 * ROUNDING


def test_a_unets_halves_give_the_same_pictures(studio, on_two):
    s = studio("sdxl")
    copy = toy_model("sdxl")
    calls = calls_of(copy)
    ours = s.sample(on_two(s.ipca(), copy))
    assert calls
    assert relative(ours, s.sample(s.ipca())) < ROUNDING
    assert relative(ours, s.sample(s.model)) > 100 * ROUNDING
