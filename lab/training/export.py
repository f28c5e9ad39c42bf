"""Writes the trained weights that the pack ships: `bench/run -m lab export`. Half precision, each
with its training record: the moving average where there is one, else what the last step left. Each
is written where its checkpoint is there.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from demo import model, vision

from . import loop

RENAMED = {"tokens.weight": "token_rows"}
ONLY_TRAINED = "scale"  # of the loss of the vision


def export(name: str, path: Path) -> None:
    """Write the weights of the training `name`."""
    saved = torch.load(loop.checkpoint(name), weights_only=True, map_location="cpu")
    weights = {
        RENAMED.get(key, key): (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in {**saved["model"], **saved["ema"]}.items()
        if key != ONLY_TRAINED
    }
    write(weights, {**saved["record"], **saved["state"]}, path)


def write(weights: dict[str, torch.Tensor], record: dict, path: Path) -> None:
    told = {name: json.dumps(value) for name, value in record.items()}
    path.write_bytes(in_order(save(weights, metadata=told)))
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {record}")


def in_order(file: bytes) -> bytes:
    """The same safetensors file with its record sorted: the library writes it in another order
    every time, and results are kept by content.
    """
    size = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    return len(text).to_bytes(8, "little") + text + file[8 + size :]


def record_of(path: Path) -> dict:
    """The training record of exported weights."""
    with safe_open(path, "pt") as file:
        return {name: json.loads(value) for name, value in file.metadata().items()}


if __name__ == "__main__":
    ships = {"story-demo": model.WEIGHTS, "story-vision": vision.WEIGHTS}
    trained = [name for name in ships if loop.checkpoint(name).exists()]
    if not trained:
        nothing = f"nothing is trained yet: there is no checkpoint in {loop.CHECKPOINTS}"
        raise SystemExit(f"export: {nothing}")
    for name in trained:
        export(name, ships[name])
