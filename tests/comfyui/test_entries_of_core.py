"""Every entry that ComfyUI's own nodes write into a conditioning is known here, read off their
source.

A newer ComfyUI with a new entry fails this test by its name: decide what there is one of per frame.
"""

import ast
import importlib
import os
from pathlib import Path

import pytest

# What there may be one of per frame, beside what `batch/companions.py` lists: the ControlNet, whose
# pictures and masks are cut.
CUT = {"control"}
FOR_ALL = {
    # Numbers, choices and what ComfyUI makes one of for the whole batch.
    *("area", "strength", "mask_strength", "set_area_to_bounds", "start_percent", "end_percent"),
    *("guidance", "noise_augmentation", "prompt_type", "default", "hooks", "degrade_sigma"),
    *("control_apply_to_uncond", "reference_latents_method", "unclip_conditioning", "gligen"),
    # Texts around references, for a node that encodes its own prompt.
    "reference_latents_text_embeds",
}
OF_OTHER_MODELS = {
    # Video, sound and 3D: the pack refuses their models by name.
    *("audio_embed", "audio_inject_scale", "camera_conditions", "clip_vision_output_ref"),
    *("concat_mask_index", "context_latents", "control_video", "driving_mask_28ch"),
    *("face_video_pixels", "fps", "frame_rate", "guide_attention_entries", "keyframe_idxs"),
    *("lyrics_strength", "conditioning_lyrics", "conditioning_scale", "minimax_keyframes"),
    *("minimax_refs", "pose_video_latent", "proj_feat_pack", "ref_audio", "ref_mask_28ch"),
    *("ref_mask_flag", "reference_audio_timbre_latents", "reference_motion"),
    *("reference_strength", "seconds_start", "seconds_total", "time_dim_concat"),
    *("time_dim_replace", "vace_frames", "vace_mask", "vace_strength"),
}


def written(tree):
    """Names of the entries that one file's nodes write: by ComfyUI's helper, or into the copied
    dict of an entry.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called.startswith("conditioning_set_values"):
                for part in (each for argument in node.args[1:] for each in ast.walk(argument)):
                    if isinstance(part, ast.Dict):
                        yield from (key.value for key in part.keys if isinstance(key, ast.Constant))
    for function in (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)):
        copied = {"d", "n"} if "[1].copy()" in ast.unparse(function) else set()
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                place = node.targets[0]
                base = ast.unparse(place.value).removesuffix("[1]")
                if base in copied and isinstance(place.slice, ast.Constant):
                    if isinstance(place.slice.value, str):
                        yield place.slice.value


@pytest.fixture(scope="module")
def of_core():
    root = Path(os.environ["COMFYUI_PATH"])
    files = [root / "nodes.py", root / "comfy/hooks.py", *(root / "comfy_extras").rglob("*.py")]
    return {
        name: file.name for file in files for name in written(ast.parse(file.read_text("utf-8")))
    }


def test_every_entry_of_cores_nodes_is_known(pack, of_core):
    known = importlib.import_module(f"{pack.__name__}.batch.companions").KNOWN
    assert {"mask", "control", "gligen", "reference_latents", "concat_image"} <= set(of_core)
    new = set(of_core) - set(known) - CUT - FOR_ALL - OF_OTHER_MODELS
    assert not new, {name: of_core[name] for name in sorted(new)}
