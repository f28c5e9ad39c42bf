"""The models of the evidence on anyone's files: one whole checkpoint, or a diffusion model, text
encoders and a VAE apart.

Names of files are looked for as they are, then in ComfyUI's folder of that kind.
"""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import comfy.clip_vision
import comfy.sd
import folder_paths
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.utils import load_torch_file
from safetensors import safe_open

import nodes
from demo.model import WEIGHTS
from demo.vision import WEIGHTS as VISION_WEIGHTS
from families import family_of

from .rows import pack_nodes

DEMO = "demo"
# header entry of a file that was made for testing: the shape of the small model in it
RANDOM_WEIGHTS = "random_weights"


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
OF_PARTS, OF_SDXL = Habits(1024, 30, 4.0), Habits(1024, 30, 5.0)
OF_SD, OF_DEMO = Habits(512, 30, 5.0), Habits(256, 20, 4.0)


@dataclass(frozen=True)
class Models:
    """MODEL, CLIP and VAE, the name of the page about them, the files that results depend on, and
    whether those have random weights.
    """

    name: str
    model: object
    clip: object
    vae: object
    files: list[Path]
    otherwise: Habits
    random: bool = False

    @property
    def habits(self) -> Habits:
        return HABITS.get(type(self.model.model.model_config).__name__, self.otherwise)

    @property
    def joint(self) -> bool:
        """Joint attention, not a UNet."""
        return not isinstance(self.model.model.diffusion_model, UNetModel)

    @property
    def reads_references(self) -> bool:
        network = self.model.model
        family = family_of(type(network).__name__, network.diffusion_model)
        return family is not None and family.reads_references


def find(name: str, folder: str, variable: str) -> Path:
    """The file as it is named, or in ComfyUI's folder of that kind."""
    path = Path(name).expanduser()
    known = path if path.is_file() else folder_paths.get_full_path(folder, name)
    if known is None:
        raise SystemExit(
            f"evidence: there is no {variable} {name}, neither as it is nor in ComfyUI's"
            f" models/{folder}"
        )
    return Path(known)


def load_models(options: Namespace) -> Models:
    """By CHECKPOINT, or by UNET, CLIP and VAE."""
    if options.checkpoint and options.unet:
        raise SystemExit(
            "evidence: CHECKPOINT is a whole model and UNET a part of one: set one of them"
        )
    if options.unet:
        return _parts(options)
    if options.checkpoint == DEMO:
        return Models(DEMO, *pack_nodes()["StoryDemoModel"].execute().args[:3], [WEIGHTS], OF_DEMO)
    return _checkpoint(options.checkpoint)


def _shape_of_random_weights(path: Path) -> str | None:
    """The shape that a test's file names in its header; None for a real one."""
    if path.suffix != ".safetensors":
        return None
    with safe_open(path, "pt") as weights:
        return (weights.metadata() or {}).get(RANDOM_WEIGHTS)


def _checkpoint(name: str) -> Models:
    path = find(name, "checkpoints", "CHECKPOINT")
    if shape := _shape_of_random_weights(path):
        from bench.toy_models import load_toy_checkpoint

        return Models(path.stem, *load_toy_checkpoint(path, shape), [path], OF_SD, random=True)
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
    return Models(path.stem, *loaded, [path], OF_SDXL if wide else OF_SD)


def _parts(options: Namespace) -> Models:
    missing = [name for name in ("CLIP", "VAE") if not getattr(options, name.lower())]
    if missing:
        raise SystemExit(
            f"evidence: UNET needs {' and '.join(missing)} beside it: UNET=a.safetensors"
            " CLIP=b.safetensors VAE=c.safetensors"
        )
    unet, vae = find(options.unet, "diffusion_models", "UNET"), find(options.vae, "vae", "VAE")
    clips = [find(name.strip(), "text_encoders", "CLIP") for name in options.clip.split(",")]
    if family := _shape_of_random_weights(unet):
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
                clip_type=clip_type(options.clip_type, model),
            )
    with _one_line_of("VAE", vae):
        decoder = comfy.sd.VAE(sd=load_torch_file(str(vae)))
        decoder.throw_exception_if_invalid()
    files = [unet, *clips, vae]
    return Models(unet.stem, model, clip, decoder, files, OF_PARTS, random=bool(family))


def clip_type(name: str | None, model: object) -> comfy.sd.CLIPType:
    """Load CLIP's `type`: as named, else after the diffusion model; most encoders are known by
    their weights alone.
    """
    of, plain = comfy.sd.CLIPType, "stable_diffusion"
    types = [*of.__members__, *nodes.CLIPLoader.INPUT_TYPES()["required"]["type"][0]]
    known = {kind.lower(): getattr(of, kind.upper(), of[plain.upper()]) for kind in types}
    family = type(model.model.model_config).__name__.lower()
    # mage of MageFlow, flux of FluxSchnell
    begins = [kind for kind in known if family.startswith(kind.replace("_", ""))]
    chosen = name.lower() if name else max(begins, key=len, default=plain)
    if chosen not in known:
        raise SystemExit(f"evidence: CLIP_TYPE {name} is none of {', '.join(known)}")
    return known[chosen]


def load_vision(name: str) -> tuple[object, Path]:
    """CLIP_VISION, and its file."""
    if name == DEMO:
        return pack_nodes()["StoryDemoModel"].execute().args[3], VISION_WEIGHTS
    path = find(name, "clip_vision", "CLIP_VISION")
    vision = comfy.clip_vision.load(str(path))
    if vision is None:
        raise SystemExit(f"evidence: ComfyUI knows no vision model like CLIP_VISION {path.name}")
    return vision, path


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
