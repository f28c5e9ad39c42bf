"""What `make evidence` is asked for: options of the command, or variables of the environment by
the same names, as in `STORIES=40 make evidence`.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import torch

from .demo import PARTS
from .rows import FIRST


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SystemExit(f"evidence: {message.removeprefix('argument ')}")


def above_0(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value


def whole(text: str) -> int:
    return int(above_0(text))


def pixels(text: str) -> int:
    if whole(text) % 8:
        raise argparse.ArgumentTypeError(f"{text} is not a multiple of 8")
    return whole(text)


def reference(text: str) -> str:
    if text and text != FIRST and not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file; it is a picture's file, or {FIRST}")
    return text


def one_of(*names: str) -> Callable[[str], str]:
    def chosen(text: str) -> str:
        if text not in ("", *names):
            raise argparse.ArgumentTypeError(f"there is no {text}, only {', '.join(names)}")
        return text

    return chosen


def parts(text: str) -> tuple[str, ...]:
    """All by 1, none by 0, or some by their names."""
    if text in ("0", "1"):
        return PARTS if text == "1" else ()
    chosen = tuple(text.split(","))
    if unknown := [name for name in chosen if name not in PARTS]:
        known = ", ".join(PARTS)
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {known}; 1 is all, 0 none")
    return chosen


def options(
    arguments: Sequence[str] = (), environment: Mapping[str, str] = os.environ
) -> argparse.Namespace:
    parser = Parser("make evidence", description=__doc__, epilog="See lab/README.md.")
    workers = 1 if torch.cuda.is_available() else os.cpu_count()

    def add(name: str, help: str, kind: Callable = str, default: str | None = None) -> None:
        given = environment.get(name.upper()) or default
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=kind, default=given, help=help)

    add("checkpoint", "a whole model, or demo; without it and unet the evidence of docs/")
    add("transformer", "1: the lab's transformer")
    add("unet", "a diffusion model, with clip and vae beside it")
    add("clip", "its text encoders, by commas")
    add("clip_type", "Load CLIP's type")
    add("vae", "its VAE")
    add("clip_vision", "who judges", default="demo")
    add("prompts", "a published benchmark's stories", Path)
    add("stories", "how many", whole)
    add("size", "of the pictures, in pixels", pixels)
    add("steps", "of the sampler", whole)
    add("cfg", "of the sampler", above_0)
    add("batch", "frames at once", whole, "4")
    add("window", "window_length", whole, "10")
    add("reference", f"a picture that every frame sees, or {FIRST}", reference, "")
    add("mask", "compare the characters only, masked by rembg", one_of("rembg"), "")
    add("sweep", "steps: in which part of a run IPCA acts", one_of("steps"), "")
    add("sweeps", f"beyond rows (a) to (g): 1, 0 or some of {','.join(PARTS)}", parts, "1")
    add("workers", "processes at once", whole, str(workers))
    return parser.parse_args(arguments)
