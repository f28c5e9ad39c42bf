"""Writes the trained weights that the pack ships: `bench/run -m lab export`. Half precision, each
with its training record.

Of the demo model it takes the moving average, of its vision what the last step left. Each is
written where its checkpoint is there.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save

from demo import model, vision

from . import train
from . import vision as vision_training


def export_model() -> None:
    saved = torch.load(train.CHECKPOINT, weights_only=True, map_location="cpu")
    weights = {}
    for name, value in saved["ema"].items():
        name = name.replace("diffusion.diffusion_model.", "unet.", 1)
        weights["token_rows" if name == "tokens.weight" else name] = value.half().contiguous()
    weights["token_ids"] = torch.tensor(saved["ids"], dtype=torch.int32)
    write(weights, {**saved["record"], **saved["state"]}, model.WEIGHTS)


def export_vision() -> None:
    saved = torch.load(vision_training.CHECKPOINT, weights_only=True, map_location="cpu")
    weights = {
        name: value.half().contiguous() for name, value in saved["model"].items() if name != "scale"
    }
    write(weights, {**saved["record"], "step": saved["step"]}, vision.WEIGHTS)


def write(weights: dict[str, torch.Tensor], record: dict, path: Path) -> None:
    path.write_bytes(
        in_order(
            save(weights, metadata={name: json.dumps(value) for name, value in record.items()})
        )
    )
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


def export() -> None:
    trained = [(train.CHECKPOINT, export_model), (vision_training.CHECKPOINT, export_vision)]
    for checkpoint, write_weights in trained:
        if checkpoint.exists():
            write_weights()
    if not any(checkpoint.exists() for checkpoint, _ in trained):
        raise SystemExit(
            f"export: nothing is trained yet: there is no checkpoint in {train.CHECKPOINT.parent}"
        )


if __name__ == "__main__":
    export()
