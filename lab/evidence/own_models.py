"""The models of the evidence on anyone's files: one whole checkpoint, or a diffusion model, text
encoders and a VAE apart.

Names of files are looked for as they are, then in ComfyUI's folder of that kind.
"""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import comfy.clip_vision
import comfy.sd
import folder_paths
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.utils import load_torch_file
from safetensors import safe_open

from demo.model import WEIGHTS
from demo.vision import WEIGHTS as VISION_WEIGHTS
from families import family_of

from .rows import pack_nodes

DEMO = "demo"


# Size, steps, CFG and Model Sampling's shift (None: the model's own) where nothing else is wanted:
# those of ComfyUI's own templates, by class of comfy.supported_models. Flux reads its guidance from
# a default.
Habits = tuple[int, int, float, float | None]
HABITS: dict[str, Habits] = {
    "Flux": (1024, 20, 1.0, None),
    "Flux2": (1024, 20, 1.0, None),
    "FluxSchnell": (1024, 4, 1.0, None),
    "QwenImage": (1328, 20, 2.5, 3.1),
    "QwenImage21": (1024, 25, 1.0, None),
    "ZImage": (1024, 9, 1.0, 3.0),
}
OF_PARTS, OF_SDXL = (1024, 30, 4.0, None), (1024, 30, 5.0, None)
OF_SD, OF_DEMO = (512, 30, 5.0, None), (256, 20, 4.0, None)


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


def refuse(why: str) -> NoReturn:
    raise SystemExit(f"evidence: {why}")


def find(name: str, folder: str, variable: str) -> Path:
    """The file as it is named, or in ComfyUI's folder of that kind."""
    path = Path(name).expanduser()
    known = path if path.is_file() else folder_paths.get_full_path(folder, name)
    where = f"neither as it is nor in ComfyUI's models/{folder}"
    return Path(known or refuse(f"there is no {variable} {name}, {where}"))


def load(variable: str, path: Path, loader: Callable, *given: object, **more: object):
    """What ComfyUI says of a file that it cannot load is one line instead of a traceback."""
    try:
        return loader(*given, **more)
    except RuntimeError as error:
        words = " ".join(str(error).split())[:200]
        refuse(f"ComfyUI cannot load {variable} {path.name}: {words}")


def load_models(options: Namespace) -> Models:
    """By CHECKPOINT, or by UNET, CLIP and VAE."""
    if options.checkpoint and options.unet:
        refuse("CHECKPOINT is a whole model and UNET a part of one: set one of them")
    if options.unet:
        return parts(options)
    if options.checkpoint == DEMO:
        return Models(DEMO, *demo_model()[:3], [WEIGHTS], OF_DEMO)
    return checkpoint(options.checkpoint)


def demo_model() -> tuple:
    """MODEL, CLIP, VAE and CLIP_VISION."""
    return pack_nodes()["StoryDemoModel"].execute().args


def shape_of_random_weights(path: Path) -> str | None:
    """The shape of the small model that a test's file names in its header; None for a real one."""
    if path.suffix != ".safetensors":
        return None
    with safe_open(path, "pt") as weights:
        return (weights.metadata() or {}).get("random_weights")


def checkpoint(name: str) -> Models:
    path = find(name, "checkpoints", "CHECKPOINT")
    if shape := shape_of_random_weights(path):
        from bench.toy_models import load_toy_checkpoint

        return Models(path.stem, *load_toy_checkpoint(path, shape), [path], OF_SD, random=True)
    words = {"embedding_directory": folder_paths.get_folder_paths("embeddings")}
    loader = comfy.sd.load_checkpoint_guess_config
    found = load("CHECKPOINT", path, loader, str(path), **words)[:3]
    for socket, value in zip(("UNet", "CLIP", "VAE"), found):
        if value is None:
            whole = "use a whole checkpoint, as for Load Checkpoint, or UNET, CLIP and VAE"
            refuse(f"CHECKPOINT {name} has no {socket}: {whole}")
    wide = found[0].model.model_config.unet_config.get("context_dim", 0) >= 2048
    return Models(path.stem, *found, [path], OF_SDXL if wide else OF_SD)


def parts(options: Namespace) -> Models:
    missing = [name for name in ("CLIP", "VAE") if not getattr(options, name.lower())]
    if missing:
        form = "UNET=a.safetensors CLIP=b.safetensors VAE=c.safetensors"
        refuse(f"UNET needs {' and '.join(missing)} beside it: {form}")
    unet, vae = find(options.unet, "diffusion_models", "UNET"), find(options.vae, "vae", "VAE")
    clips = [find(name.strip(), "text_encoders", "CLIP") for name in options.clip.split(",")]
    if family := shape_of_random_weights(unet):
        from bench.toy_encoders import toy_encoder
        from bench.toy_parts import load_toy_transformer

        model, clip = load_toy_transformer(unet), toy_encoder(family, sight=True)
    else:
        model = load("UNET", unet, comfy.sd.load_diffusion_model, str(unet))
        kind = clip_type(options.clip_type, model)
        given = [str(path) for path in clips], folder_paths.get_folder_paths("embeddings"), kind
        clip = load("CLIP", clips[0], comfy.sd.load_clip, *given)
    decoder = load("VAE", vae, lambda: comfy.sd.VAE(sd=load_torch_file(str(vae))))
    load("VAE", vae, decoder.throw_exception_if_invalid)
    files = [unet, *clips, vae]
    return Models(unet.stem, model, clip, decoder, files, OF_PARTS, random=bool(family))


def clip_type(name: str | None, model: object) -> comfy.sd.CLIPType:
    """Load CLIP's `type`: as named, else after the diffusion model; most encoders are known by
    their weights alone.
    """
    of, plain = comfy.sd.CLIPType, "stable_diffusion"
    types = pack_nodes()["CLIPLoader"].INPUT_TYPES()["required"]["type"][0]
    known = dict.fromkeys(kind.lower() for kind in (*of.__members__, *types))
    family = type(model.model.model_config).__name__.lower()
    # mage of MageFlow, flux of FluxSchnell
    begins = [kind for kind in known if family.startswith(kind.replace("_", ""))]
    chosen = name.lower() if name else max(begins, key=len, default=plain)
    if chosen not in known:
        refuse(f"CLIP_TYPE {name} is none of {', '.join(known)}")
    return getattr(of, chosen.upper(), of.STABLE_DIFFUSION)


def load_vision(name: str) -> tuple[object, Path]:
    """CLIP_VISION, and its file."""
    if name == DEMO:
        return demo_model()[3], VISION_WEIGHTS
    path = find(name, "clip_vision", "CLIP_VISION")
    vision = comfy.clip_vision.load(str(path))
    return vision or refuse(f"ComfyUI knows no vision model like CLIP_VISION {path.name}"), path
