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


def checked(convert: Callable, holds: Callable, problem: str) -> Callable[[str], object]:
    """An option's type: what `convert` makes of the text, if it can and the value holds."""

    def kind(text: str) -> object:
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not holds(value):
            raise argparse.ArgumentTypeError(problem.format(text))
        return value

    return kind


NO_NUMBER = "{} is no number above 0"
above_0 = checked(float, lambda value: value > 0, NO_NUMBER)
whole = checked(lambda text: int(float(text)), lambda value: value > 0, NO_NUMBER)
pixels = checked(whole, lambda value: value % 8 == 0, "{} is not a multiple of 8")
reference = checked(
    str,
    lambda text: text in ("", FIRST) or Path(text).is_file(),
    f"{{}} is no file; it is a picture's file, or {FIRST}",
)
mask = checked(str, ("", "rembg").__contains__, "there is no {}, only rembg")
sweep = checked(str, ("", "steps").__contains__, "there is no {}, only steps")


def parts(text: str) -> tuple[str, ...]:
    """All by 1, none by 0, or some by their names."""
    chosen = {"1": PARTS, "0": ()}.get(text, tuple(text.split(",")))
    if unknown := [name for name in chosen if name not in PARTS]:
        known = ", ".join(PARTS)
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {known}; 1 is all, 0 none")
    return chosen


WORKERS = 1 if torch.cuda.is_available() else os.cpu_count()
# Name, what it is, type, and its default.
OPTIONS: list[tuple[str, str, Callable, str | None]] = [
    ("checkpoint", "a whole model, or demo; without it and unet the evidence of docs/", str, None),
    ("transformer", "1: the lab's transformer", str, None),
    ("unet", "a diffusion model, with clip and vae beside it", str, None),
    ("clip", "its text encoders, by commas", str, None),
    ("clip_type", "Load CLIP's type", str, None),
    ("vae", "its VAE", str, None),
    ("clip_vision", "who judges", str, "demo"),
    ("prompts", "a published benchmark's stories", Path, None),
    ("stories", "how many", whole, None),
    ("size", "of the pictures, in pixels", pixels, None),
    ("steps", "of the sampler", whole, None),
    ("cfg", "of the sampler", above_0, None),
    ("batch", "frames at once", whole, "4"),
    ("window", "window_length", whole, "10"),
    ("reference", f"a picture that every frame sees, or {FIRST}", reference, ""),
    ("mask", "compare the characters only, masked by rembg", mask, ""),
    ("sweep", "steps: in which part of a run IPCA acts", sweep, ""),
    ("sweeps", f"beyond rows (a) to (g): 1, 0 or some of {','.join(PARTS)}", parts, "1"),
    ("workers", "processes at once", whole, str(WORKERS)),
]


def options(
    arguments: Sequence[str] = (), environment: Mapping[str, str] = os.environ
) -> argparse.Namespace:
    parser = Parser("make evidence", description=__doc__, epilog="See lab/README.md.")
    for name, help, kind, default in OPTIONS:
        given = environment.get(name.upper()) or default
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=given, help=help)
    return parser.parse_args(arguments)
