"""`make bench`: what the pack costs, measured side by side in one run. Runs on a CPU or on CUDA.

Every ratio is the median over repeated pairs, with and without in turn (`timing.py`). The UNet has
SDXL's blocks, transformer depths and token counts; its widths are halved on a CPU to fit the time.
Joint attention is in `benchmark_joint.py`.
"""

import gc
import importlib
import os
import platform
import types
import warnings
from pathlib import Path

import torch

from bench import inprocess
from lab.benchmark.timing import CUDA, DEVICE, PAIRS, compared, number_format

inprocess.start(cpu=not CUDA)

import comfy.model_management  # noqa: E402
import comfy.sd  # noqa: E402
import comfy.supported_models  # noqa: E402
import comfy.supported_models_base  # noqa: E402
from comfy import sdxl_clip as comfy_sdxl  # noqa: E402
from comfy.model_patcher import ModelPatcher  # noqa: E402

from bench.devices import Captured, HostReads  # noqa: E402
from bench.references import published_svr  # noqa: E402
from bench.studio import Studio  # noqa: E402
from bench.toy_models import randomize  # noqa: E402
from lab.benchmark.joint import joint_rows  # noqa: E402

# On a CPU the UNet is narrower and half the size in memory, so that a run takes minutes; token
# counts stay SDXL's.
SCALE = 1 if CUDA else 2
SIZE, STEPS = (1024, 20) if CUDA else (512, 3)


def sdxl_model():
    """SDXL's UNet: full width on CUDA, half on a CPU; random weights."""
    config = comfy.supported_models.SDXL(
        {
            "image_size": 32,
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": 320 // SCALE,
            "num_res_blocks": [2, 2, 2],
            "channel_mult": [1, 2, 4],
            "transformer_depth": [0, 0, 2, 2, 10, 10],
            "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
            "transformer_depth_middle": 10,
            "context_dim": 2048,
            "use_spatial_transformer": True,
            "legacy": False,
            "num_classes": "sequential",
            "adm_in_channels": 2816,
            "use_linear_in_transformer": True,
            "use_temporal_attention": False,
        }
    )
    config.unet_config["num_head_channels"] = 64 // SCALE
    config.set_inference_dtype(number_format(), None)
    model = config.get_model({}, "", device=DEVICE)
    randomize(model.diffusion_model, 1)
    return ModelPatcher(model, DEVICE, torch.device("cpu"))


def sdxl_clip():
    """SDXL's two encoders at their real widths, three layers deep."""
    target = comfy.supported_models_base.ClipTarget(
        comfy_sdxl.SDXLTokenizer, comfy_sdxl.SDXLClipModel
    )
    clip = comfy.sd.CLIP(
        target,
        model_options={
            "clip_l_model_config": {"num_hidden_layers": 3},
            "clip_g_model_config": {"num_hidden_layers": 3},
        },
    )
    randomize(clip.cond_stage_model, 2)
    return clip


def waits_of(call) -> int:
    """Device synchronisations of one UNet call: torch's own warnings on CUDA, values read by the
    host on a CPU.
    """
    if CUDA:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            call()
            torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(warning.message) for warning in caught)
    lists = []
    plain_tolist = (
        torch.Tensor.tolist
    )  # reads host memory without an operation, so no dispatch mode sees it

    def counted(tensor):
        if tensor.is_floating_point():  # row numbers are integers, which ComfyUI keeps on the CPU
            lists.append(1)
        return plain_tolist(tensor)

    torch.Tensor.tolist = counted
    try:
        with HostReads() as reads:
            call()
    finally:
        torch.Tensor.tolist = plain_tolist
    return len(lists) + reads.count


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


FRAMES = [
    "wearing a scarf in a meadow",
    "playing in the snow",
    "foraging berries in the forest",
    "at the edge of a village with a river",
    "asleep under an old oak",
]


def main() -> None:
    torch.set_num_threads(os.cpu_count())
    inprocess.load_pack()
    import nodes

    rows = []
    studio = Studio(nodes.NODE_CLASS_MAPPINGS, sdxl_model(), sdxl_clip(), frames=FRAMES[:4])
    patched = studio.ipca()
    comfy.model_management.load_models_gpu([studio.model])

    one, noise = studio.story_batch(width=1024, height=1024, select="1")

    def unet_call(model):
        """One UNet call on uncond and cond rows, as the sampler makes it."""
        return Captured(model, lambda model: studio.sample(model, one, noise, steps=1)).again

    on, off = unet_call(patched), unet_call(studio.model)
    rows.append(compared("a", "UNet call at 1024x1024, IPCA on / off", on, off, "<= 1.03"))

    latent = studio.story_batch(width=SIZE, height=SIZE)[1]

    def story():
        positives, latents, *_ = studio.batch(
            frames=studio.svr(), frames_per_batch=0, width=SIZE, height=SIZE
        )
        studio.sample(studio.ipca(), positives[0], latents[0], steps=STEPS)

    def stock():
        prompts = studio.encode_each(f"{studio.identity} {frame}" for frame in studio.story.frames)
        studio.sample(studio.model, prompts, latent, steps=STEPS)

    what = f"4-frame story, {STEPS} steps at {SIZE}x{SIZE}, pack / stock KSampler"
    rows += [compared("b", what, story, stock, "<= 1.03"), svr_row(studio)]
    held = bytes_held((patched.model_options, patched.wrappers, patched.callbacks))
    tokens = studio.identity_tokens()
    beyond, measured = held - tokens * 2048 * 4, f"{held} in all, {tokens} rows of 2048 float32"
    what = "bytes held between steps beyond the memory's own rows"
    rows.append(("d", what, str(beyond), measured, "0"))
    waits, without = waits_of(on), waits_of(off)
    measured = f"{waits} with, {without} without"
    rows.append(("e", "device synchronisations per UNet call", str(waits - without), measured, "0"))
    rows += joint_rows(nodes.NODE_CLASS_MAPPINGS)
    print_table(rows)


def svr_row(studio) -> tuple:
    """SVR of a 5-frame SDXL story: the pack's on both towers against the equations with the
    full-size SVD.
    """
    pack = inprocess.load_pack().__name__
    clip, encode, reweight = (
        importlib.import_module(f"{pack}.svr.{name}") for name in ("clip", "encode", "reweight")
    )
    story = studio.prompt(studio.identity, FRAMES)
    tokens, layouts = encode.prompt_layouts(studio.clip, story.phrases(tuple(range(len(FRAMES)))))
    entry = encode.encode(studio.clip, tokens)[0]
    parts, cond = clip.Reader(studio.clip).parts(tokens, layouts, entry), entry[0][0]
    enhance, weaken = reweight.Weights(0.01, 1.0), reweight.Weights(-0.01, 0.05)
    towers = [(cond[:, part.features], part.layout) for part in parts]

    def economy():
        return [
            reweight.express(embeds, layout, 1 + frame, enhance, weaken, eot_apart=False)
            for frame in range(len(FRAMES))
            for embeds, layout in towers
        ]

    def full():
        return [
            published_svr(
                embeds,
                [list(phrase) for phrase in layout.phrases[1:]],
                frame,
                list(layout.ends),
                eot_apart=False,
            )
            for frame in range(len(FRAMES))
            for embeds, layout in towers
        ]

    for ours, published in zip(economy(), full()):
        torch.testing.assert_close(ours, published, rtol=1e-3, atol=1e-3)
    what = "SVR of a 5-frame SDXL story, full / economy SVD"
    return compared("c", what, full, economy, ">= 10", 1, seconds=0.0)  # ten needs no third digit


def print_table(rows: list[tuple]) -> None:
    machine = torch.cuda.get_device_name() if CUDA else f"{cpu_name()}, {os.cpu_count()} cores"
    print(
        f"\n{machine}; PyTorch {torch.__version__}, {str(number_format()).removeprefix('torch.')}; "
        f"SDXL UNet at 1/{SCALE} width; median of {PAIRS} pairs or more\n"
    )
    print("| | what | ratio or count | measured | target |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def cpu_name() -> str:
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
