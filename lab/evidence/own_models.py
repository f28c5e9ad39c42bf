"""The models of the evidence on anyone's files: one whole checkpoint, or a diffusion model, text
encoders and a VAE apart.

Names of files are looked for as they are, then in ComfyUI's folder of that kind.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import comfy.clip_vision
import comfy.sd
import comfy.utils
import folder_paths
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from safetensors import safe_open

from bench.inprocess import ROOT
from demo.vision import WEIGHTS as VISION_WEIGHTS
from families import family_of

DEMO = "demo"
# header entry of a file that was made for testing: the shape of the small model in it
RANDOM_WEIGHTS = "random_weights"
MEANINGLESS = (
    "**These files have random weights: the pictures are noise and the numbers mean nothing.**"
)
UNJUDGED = (
    "A model with joint attention: the pack's mechanism is tested on its classes with random"
    " weights, its effect on pictures had not been judged on any of them when this was written."
    " These numbers and strips are the first to look at."
)


class Habits(NamedTuple):
    """How a model is sampled where nothing else is wanted; `shift` is Model Sampling's, None for
    the model's own.
    """

    size: int
    steps: int
    cfg: float
    shift: float | None = None


# As in ComfyUI's own templates for each family, by class of comfy.supported_models. Flux reads its
# guidance from a default.
HABITS = {
    "Flux": Habits(1024, 20, 1.0),
    "Flux2": Habits(1024, 20, 1.0),
    "FluxSchnell": Habits(1024, 4, 1.0),
    "QwenImage": Habits(1328, 20, 2.5, 3.1),
    "QwenImage21": Habits(1024, 25, 1.0),
    "ZImage": Habits(1024, 9, 1.0, 3.0),
}
OF_PARTS, OF_SDXL, OF_SD, OF_DEMO = (
    Habits(1024, 30, 4.0),
    Habits(1024, 30, 5.0),
    Habits(512, 30, 5.0),
    Habits(256, 20, 4.0),
)


@dataclass(frozen=True)
class Models:
    """MODEL, CLIP and VAE, the name of the page about them, the files that results depend on and
    notes for the page.
    """

    name: str
    model: object
    clip: object
    vae: object
    files: list[Path]
    habits: Habits
    notes: list[str] = field(default_factory=list)


def find(name: str, folder: str, variable: str) -> Path:
    """The file as it is named, or in ComfyUI's folder of that kind."""
    path = Path(name).expanduser()
    if path.is_file():
        return path
    known = folder_paths.get_full_path(folder, name)
    if known is None:
        raise SystemExit(
            f"evidence: there is no {variable} {name}, neither as it is nor in ComfyUI's"
            f" models/{folder}"
        )
    return Path(known)


def load_models(environment: dict[str, str]) -> Models:
    """By CHECKPOINT, or by UNET, CLIP and VAE."""
    checkpoint, unet = environment.get("CHECKPOINT"), environment.get("UNET")
    if checkpoint and unet:
        raise SystemExit(
            "evidence: CHECKPOINT is a whole model and UNET a part of one: set one of them"
        )
    if unet:
        return _parts(environment)
    return _demo() if checkpoint == DEMO else _checkpoint(checkpoint)


def shape_of_random_weights(path: Path) -> str | None:
    """The shape that a test's file names in its header; None for a real one."""
    if path.suffix != ".safetensors":
        return None
    with safe_open(path, "pt") as weights:
        return (weights.metadata() or {}).get(RANDOM_WEIGHTS)


def _demo() -> Models:
    import nodes

    note = (
        "The demo model is ours, small, and its data was made to contain what the method works on:"
        " this does not show how SDXL scores."
    )
    loaded = nodes.NODE_CLASS_MAPPINGS["StoryDemoModel"].execute().args[:3]
    return Models(DEMO, *loaded, [ROOT / "demo/story-demo.safetensors"], OF_DEMO, [note])


def _checkpoint(name: str) -> Models:
    path = find(name, "checkpoints", "CHECKPOINT")
    shape = shape_of_random_weights(path)
    if shape:
        from bench.toy_models import load_toy_checkpoint

        return Models(path.stem, *load_toy_checkpoint(path, shape), [path], OF_SD, [MEANINGLESS])
    with _one_line_of("CHECKPOINT", path):
        loaded = comfy.sd.load_checkpoint_guess_config(
            str(path), embedding_directory=folder_paths.get_folder_paths("embeddings")
        )[:3]
    for socket, value in zip(("UNet", "CLIP", "VAE"), loaded):
        if value is None:
            raise SystemExit(
                f"evidence: CHECKPOINT {name} has no {socket}: use a whole checkpoint, as for Load"
                " Checkpoint, or UNET, CLIP and VAE"
            )
    wide = loaded[0].model.model_config.unet_config.get("context_dim", 0) >= 2048
    return Models(
        path.stem,
        *loaded,
        [path],
        _habits(loaded[0], OF_SDXL if wide else OF_SD),
        _notes(loaded[0]),
    )


def _parts(environment: dict[str, str]) -> Models:
    missing = [name for name in ("CLIP", "VAE") if not environment.get(name)]
    if missing:
        raise SystemExit(
            f"evidence: UNET needs {' and '.join(missing)} beside it: UNET=a.safetensors"
            " CLIP=b.safetensors VAE=c.safetensors"
        )
    unet, vae = (
        find(environment["UNET"], "diffusion_models", "UNET"),
        find(environment["VAE"], "vae", "VAE"),
    )
    clips = [find(name.strip(), "text_encoders", "CLIP") for name in environment["CLIP"].split(",")]
    family = shape_of_random_weights(unet)
    if family:
        from bench.toy_encoders import toy_encoder
        from bench.toy_parts import load_toy_transformer

        model, clip = load_toy_transformer(unet), toy_encoder(family, sight=True)
    else:
        with _one_line_of("UNET", unet):
            model = comfy.sd.load_diffusion_model(str(unet))
        with _one_line_of("CLIP", clips[0]):
            clip = comfy.sd.load_clip(
                [str(path) for path in clips],
                embedding_directory=folder_paths.get_folder_paths("embeddings"),
                clip_type=clip_type(environment.get("CLIP_TYPE"), model),
            )
    with _one_line_of("VAE", vae):
        decoder = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(vae)))
        decoder.throw_exception_if_invalid()
    notes = [MEANINGLESS] if family else _notes(model)
    return Models(
        unet.stem, model, clip, decoder, [unet, *clips, vae], _habits(model, OF_PARTS), notes
    )


def clip_type(name: str | None, model: object) -> comfy.sd.CLIPType:
    """Load CLIP's `type`: as named, else after the diffusion model; most encoders are known by
    their weights alone.
    """
    import nodes

    types = [*comfy.sd.CLIPType.__members__, *nodes.CLIPLoader.INPUT_TYPES()["required"]["type"][0]]
    known = {
        kind.lower(): getattr(comfy.sd.CLIPType, kind.upper(), comfy.sd.CLIPType.STABLE_DIFFUSION)
        for kind in types
    }
    if name:
        if name.lower() not in known:
            raise SystemExit(f"evidence: CLIP_TYPE {name} is none of {', '.join(known)}")
        return known[name.lower()]
    family = type(model.model.model_config).__name__.lower()
    begins = [
        key for key in known if family.startswith(key.replace("_", ""))
    ]  # mage of MageFlow, flux of FluxSchnell
    return known[max(begins, key=len)] if begins else comfy.sd.CLIPType.STABLE_DIFFUSION


def load_vision(name: str, judged: str) -> tuple[object, Path, list[str]]:
    """CLIP_VISION, its file and notes for the page of the model `judged`."""
    import nodes

    if name == DEMO:
        note = (
            "Judged by the demo model's own vision, which has seen its drawn world alone: set"
            " CLIP_VISION for numbers that mean something."
        )
        return (
            nodes.NODE_CLASS_MAPPINGS["StoryDemoModel"].execute().args[3],
            VISION_WEIGHTS,
            [] if judged == DEMO else [note],
        )
    path = find(name, "clip_vision", "CLIP_VISION")
    vision = comfy.clip_vision.load(str(path))
    if vision is None:
        raise SystemExit(f"evidence: ComfyUI knows no vision model like CLIP_VISION {path.name}")
    return vision, path, []


def reads_references(model: object) -> bool:
    family = family_of(type(model.model).__name__, model.model.diffusion_model)
    return family is not None and family.reads_references


def _habits(model: object, otherwise: Habits) -> Habits:
    return HABITS.get(type(model.model.model_config).__name__, otherwise)


def _notes(model: object) -> list[str]:
    return [] if isinstance(model.model.diffusion_model, UNetModel) else [UNJUDGED]


@contextmanager
def _one_line_of(variable: str, path: Path) -> Iterator[None]:
    """What ComfyUI says of a file that it cannot load, in one line instead of a traceback."""
    try:
        yield
    except RuntimeError as error:
        raise SystemExit(
            f"evidence: ComfyUI cannot load {variable} {path.name}:"
            f" {' '.join(str(error).split())[:200]}"
        ) from None
