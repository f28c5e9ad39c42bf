"""Writes the trained weights that the pack ships: `bench/run -m lab export`. The moving average, in half precision."""

import json

import torch
from safetensors.torch import save_file

from demo.model import WEIGHTS

from .train import CHECKPOINT


def export() -> None:
    saved = torch.load(CHECKPOINT, weights_only=True)
    weights = {}
    for name, value in saved["ema"].items():
        name = name.replace("diffusion.diffusion_model.", "unet.", 1)
        weights["token_rows" if name == "tokens.weight" else name] = value.half().contiguous()
    weights["token_ids"] = torch.tensor(saved["ids"], dtype=torch.int32)
    record = {**saved["record"], **saved["state"]}
    save_file(weights, WEIGHTS, metadata={name: json.dumps(value) for name, value in record.items()})
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size / 1e6:.2f} MB, {record}")


if __name__ == "__main__":
    export()
