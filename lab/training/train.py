"""Trains the demo model: `bench/run -m lab train --images 600000`. Stop it and call it again to go
on.

Text encoder and UNet are trained together by v-prediction, from scratch or with `--from-shipped`
from the weights that the pack has. The captions are those of `captions.py`; cross-attention that
grows sharp is fined (`attention.py`).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from comfy.utils import load_torch_file
from transformers.hf_argparser import HfArgumentParser

from demo.model import TEXT_WIDTH, WEIGHTS, PictureLatent, build_clip, build_model

from ..world.render import Renderer
from . import loop, precision
from .attention import Spelled, excess
from .captions import Captions
from .export import record_of
from .loop import option

NAME = "story-demo"
DATA_VERSION = 3
ENDS = ("out_layers.3", "proj_out", "out_proj.weight", "fc2.weight")  # of residual branches
FINE = 0.02  # weight of attention's excess sharpness in the loss


@dataclass
class Options(loop.Options):
    images: int = option(600_000, "in the whole training; the learning rate falls towards it")
    batch: int = option(64, "images per step")
    rate: float = option(1.5e-3, "peak learning rate")
    from_shipped: bool = option(False, "start from the weights in demo/, whose images count")


class Trainee(torch.nn.Module):
    """Token table, text encoder and UNet with trainable, initialised weights, under the names that
    they ship by; `ids` are the tokens of the table's rows from 1 on.
    """

    def __init__(self, ids: list[int]):
        super().__init__()
        self.tokens = torch.nn.Embedding(len(ids) + 1, TEXT_WIDTH)
        self.register_buffer("token_ids", torch.tensor(ids, dtype=torch.int32))
        self.text = build_clip().cond_stage_model.clip_l.transformer
        del self.text.text_model.embeddings.token_embedding
        diffusion = build_model()
        self.alphas = 1 / (1 + diffusion.model_sampling.sigmas.float().cpu() ** 2)
        self.unet = diffusion.diffusion_model.to(memory_format=torch.channels_last)
        initialise(self.text), initialise(self.unet)
        # Rows of norm 22 to 28 after the final norm, as in CLIP: SVR's alphas are made for such
        # magnitudes.
        last = self.text.text_model.final_layer_norm.weight
        torch.nn.init.constant_(last, 25 / math.sqrt(TEXT_WIDTH))
        torch.nn.init.normal_(self.tokens.weight, std=0.5)

    @torch.no_grad()
    def start_from_shipped(self) -> int:
        """Words that the shipped table lacks keep their first rows. Returns how many images the
        weights have seen.
        """
        stored = load_torch_file(str(WEIGHTS), safe_load=True)
        rows, known = stored.pop("token_rows").float(), [None, *stored.pop("token_ids").tolist()]
        for row, token in enumerate([None, *self.token_ids.tolist()]):
            if token in known:
                self.tokens.weight[row] = rows[known.index(token)]
        table = {"tokens.weight": self.tokens.weight, "token_ids": self.token_ids}
        self.load_state_dict(stored | table)
        return record_of(WEIGHTS)["seen"]


def initialise(module: torch.nn.Module) -> None:
    """ComfyUI's layers come uninitialised and are not to be trained: fan-in normal, identity norms,
    and zero at the end of every residual branch.
    """
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            std = 0.1 if "embedding" in name else 1 / math.sqrt(parameter[0].numel())
            torch.nn.init.normal_(parameter, std=std)
        else:
            torch.nn.init.constant_(parameter, 1.0 if name.endswith("weight") else 0.0)
        if name.startswith("out.2") or any(end in name for end in ENDS):
            torch.nn.init.zeros_(parameter)
    module.requires_grad_(True)
    for name, part in module.named_modules():
        if "layer_norm" in name:
            # ComfyUI's encoder adds in place to what the norm has kept for its gradient.
            part.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),))


def losses_of(
    model: Trainee, batch: tuple, renderer: Renderer, generator: torch.Generator
) -> loop.Losses:
    """Mean squared error of v = sqrt(a) noise - sqrt(1 - a) picture; the character's pixels count
    twice. And attention's excess.

    Everything random is drawn on the CPU and then taken to the model's device.
    """
    rows, emphasis, ends, attributes = batch
    where = model.tokens.weight.device
    pictures, figure = renderer.tensors(attributes)
    clean = PictureLatent().process_in(pictures)
    size = len(clean)
    # One stratum of the steps for every picture of the batch.
    even = (torch.arange(size) + torch.rand(size, generator=generator)) / size
    step = (even * len(model.alphas)).long().clamp(max=len(model.alphas) - 1)
    a = model.alphas[step].view(-1, 1, 1, 1)
    noise = torch.randn(clean.shape, generator=generator)
    words, lengths = model.tokens(rows.to(where)), (ends + 1).tolist()
    hidden, _, _, pooled = model.text(None, None, embeds=words, num_tokens=lengths)
    # Where other phrases are turned down, only the pooled vector still tells which scenes the
    # caption mentions.
    untouched = (emphasis == 1).all(1, keepdim=True)
    dropped = torch.where(untouched, 0.2, 0.03)
    pooled = pooled * (torch.rand(size, 1, generator=generator) > dropped).to(where)
    sharp: list[torch.Tensor] = []
    spelled = Spelled(lambda logits, _: sharp.append(excess(logits)))
    out = model.unet(
        (a.sqrt() * clean + (1 - a).sqrt() * noise).to(where),
        step.float().to(where),
        context=hidden * emphasis.unsqueeze(-1).to(where),
        y=pooled,
        transformer_options={"optimized_attention_override": spelled},
    )
    error = (out.float() - (a.sqrt() * noise - (1 - a).sqrt() * clean).to(where)).square().mean(1)
    weight = 1 + figure.to(where)
    loss, too_sharp = (error * weight).sum() / weight.sum(), torch.stack(sharp).sum()
    return loss + FINE * too_sharp, {"loss": loss, "excess": too_sharp}


def learning_rate(share: float) -> float:
    """Of the peak: warm-up over the first 2 %, then a cosine."""
    return min(1.0, share / 0.02 + 0.01, loop.cosine(share))


def train(options: Options) -> None:
    torch.manual_seed(options.seed)
    captions = Captions(build_clip().tokenizer.clip_l.tokenizer)
    where, renderer = precision.device(), Renderer()
    model, begun = Trainee(captions.ids).to(where), 0
    print(precision.told(where), flush=True)
    if options.from_shipped and not loop.checkpoint(NAME).exists():
        begun = model.start_from_shipped()
        print(f"starting from {WEIGHTS.name}, which has seen {begun} images", flush=True)
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    rates = {optimizer: lambda share, _: options.rate * learning_rate(share)}
    record = {"data_version": DATA_VERSION, "seed": options.seed, "target": options.images}
    training = loop.Training(loop.checkpoint(NAME), model, rates, record, begun, average=0.05)
    step = training.state["step"]
    captions.rng = np.random.default_rng((options.seed, step))
    generator = torch.Generator().manual_seed(options.seed + step)

    def losses() -> loop.Losses:
        with precision.autocast(where):
            return losses_of(model, captions.batch(options.batch), renderer, generator)

    training.run(options, options.images, losses, options.batch)


if __name__ == "__main__":
    train(HfArgumentParser(Options, description=__doc__).parse_args_into_dataclasses()[0])
