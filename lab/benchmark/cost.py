"""What the pack costs on SDXL. Every ratio is the median over repeated pairs, with and without in
turn (`timing.py`).

The UNet has SDXL's blocks, transformer depths and token counts; on a CPU it is half as wide, and
stories are half as large, so that a run takes minutes.
"""

import gc
import importlib
import types

import comfy.model_management
import torch
from comfy.supported_models import SDXL

from bench import inprocess
from bench.devices import Captured, waits_of
from bench.references import published_svr
from bench.studio import FRAMES, Studio
from bench.toy_models import toy_clip, toy_model

from .timing import CUDA, Line, compared, number_format

SCALE = 1 if CUDA else 2
SIZE, STEPS = (1024, 20) if CUDA else (512, 3)
UNET = {
    **SDXL.unet_config,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "transformer_depth_middle": 10,
    "model_channels": 320 // SCALE,
    "num_head_channels": 64 // SCALE,
}
# SDXL's two encoders at their real widths, three layers deep.
ENCODERS = {f"clip_{name}_model_config": {"num_hidden_layers": 3} for name in "lg"}
FIVE_FRAMES = [*FRAMES, "at the edge of a village with a river", "asleep under an old oak"]


def rows(nodes: dict) -> list[Line]:
    model = toy_model("sdxl", dtype=number_format(), **UNET)
    studio = Studio(nodes, model, toy_clip("sdxl", sizes=ENCODERS), frames=FIVE_FRAMES[:4])
    patched = studio.ipca()
    comfy.model_management.load_models_gpu([model])
    one, noise = studio.story_batch(width=1024, height=1024, select="1")
    # One UNet call on uncond and cond rows, as the sampler makes it.
    on, off = (
        Captured(each, lambda spied: studio.sample(spied, one, noise, steps=1)).again
        for each in (patched, model)
    )
    latent = studio.story_batch(width=SIZE, height=SIZE)[1]

    def story():
        positive, latent = studio.story_batch(frames=studio.svr(), width=SIZE, height=SIZE)
        studio.sample(studio.ipca(), positive, latent, steps=STEPS)

    def stock():
        prompts = studio.encode_each(f"{studio.identity} {frame}" for frame in studio.story.frames)
        studio.sample(model, prompts, latent, steps=STEPS)

    what = f"4-frame story, {STEPS} steps at {SIZE}x{SIZE}, pack / stock KSampler"
    timed = [
        compared("UNet call at 1024x1024, IPCA on / off", on, off, "<= 1.03"),
        compared(what, story, stock, "<= 1.03"),
        svr_row(studio),
    ]
    held = bytes_held((patched.model_options, patched.wrappers, patched.callbacks))
    tokens, waits, without = studio.identity_tokens(), waits_of(on), waits_of(off)
    bytes_of = f"{held - tokens * 2048 * 4}", f"{held} in all, {tokens} rows of 2048 float32", "0"
    waits_in = f"{waits - without}", f"{waits} with, {without} without", "0"
    return [
        *timed,
        ("bytes held between steps beyond the memory's own rows", *bytes_of),
        ("device synchronisations per UNet call", *waits_in),
    ]


def svr_row(studio: Studio) -> Line:
    """SVR of a 5-frame SDXL story: the pack's on both towers against the equations with the
    full-size SVD.
    """
    pack = inprocess.load_pack().__name__
    encode, reweight = (
        importlib.import_module(f"{pack}.svr.{name}") for name in ("encode", "reweight")
    )
    phrases = studio.prompt(studio.identity, FIVE_FRAMES).phrases(tuple(range(5)))
    told = encode.encode_prompt(encode.Reader(studio.clip), phrases)
    cond = told.entries[0][0][0]
    work = [
        (cond[:, part.features], part.layout, frame) for frame in range(5) for part in told.parts
    ]
    weights = reweight.Weights(0.01, 1.0), reweight.Weights(-0.01, 0.05)

    def economy():
        return [
            reweight.express(embeds, layout, 1 + frame, *weights, eot_apart=False)
            for embeds, layout, frame in work
        ]

    def full():
        return [
            published_svr(embeds, [*map(list, layout.phrases[1:])], frame, [*layout.ends], False)
            for embeds, layout, frame in work
        ]

    torch.testing.assert_close(economy(), full(), rtol=1e-3, atol=1e-3)
    what = "SVR of a 5-frame SDXL story, full / economy SVD"
    return compared(what, full, economy, ">= 10", rough=True)  # ten needs no third digit


def bytes_held(held) -> int:
    """Bytes of all tensors that can be reached from `held`, each storage once."""
    storages, seen, queue = {}, set(), [held]
    while queue:
        value = queue.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if torch.is_tensor(value):
            storages[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        elif not isinstance(value, (type, types.ModuleType, types.FunctionType, torch.nn.Module)):
            queue.extend(gc.get_referents(value))
    return sum(storages.values())
