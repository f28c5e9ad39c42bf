"""In which ways a story is told on the lab's transformer, and telling it: by the pack's nodes and
ComfyUI's own sampling.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from comfy.model_patcher import ModelPatcher

from bench.studio import Studio, with_override

from ..evidence.rows import Row, Setting, sampled
from .model import PATCH, PICTURE

ORIGINAL = {"mode": "original"}
# Where SVR's beta goes: to the embeddings; to how much a key counts; to keys and values, but not in
# the refiner, where the text attends to itself.
EMBEDDINGS, WEIGHTS, JOINT = "embeddings", "weights", "joint blocks"
ROWS_KEY = "one_prompt_one_story_rows"  # of a CONDITIONING's dict
IMAGE = (PICTURE // PATCH) ** 2  # tokens of the picture
EACH_ALONE = 1  # frames at once where their texts differ in length
LOUDER = {"enhance_beta": 1.2}  # the frame's own words a little louder


@dataclass(frozen=True)
class Way(Row):
    """A row, and where SVR's beta goes; without a word to keys and values, as the pack does it."""

    beta_on: str = ""


ROWS = {
    "a": Way("separate prompts, own noise", one_prompt=False, noise="per frame"),
    "b": Way("separate prompts, same noise", one_prompt=False),
    "c": Way("one prompt, nothing", svr=ORIGINAL),
    "d": Way("one prompt, SVR on the embeddings", beta_on=EMBEDDINGS),
    "e": Way("one prompt, beta on keys and values"),
    "f1": Way("(e) + IPCA at strength 1", ipca={"strength": 1.0}),
    "f3": Way("(e) + IPCA at strength 3", ipca={"strength": 3.0}),
    "f10": Way("(e) + IPCA at strength 10", ipca={"strength": 10.0}),
    "g": Way("weights beta instead of (e)", beta_on=WEIGHTS),
    "h": Way("`window_length` 1 + IPCA at strength 1", svr=ORIGINAL, ipca={}, window_length=1),
    "i1.1": Way("(e), enhance_beta 1.1", svr={"enhance_beta": 1.1}),
    "i1.2": Way("(e), enhance_beta 1.2", svr=LOUDER),
    "j1": Way("(e), enhance_beta 1.2 + IPCA at strength 1", svr=LOUDER, ipca={"strength": 1.0}),
    "j3": Way("(e), enhance_beta 1.2 + IPCA at strength 3", svr=LOUDER, ipca={"strength": 3.0}),
}
STRIPS = {
    "b": "a prompt for each frame, same noise",
    "c": "one prompt, nothing turned down",
    "d": "SVR on the embeddings, as before",
    "e": "beta on keys and values",
    "f1": "the same with IPCA",
    "i1.2": "(e) with enhance_beta 1.2",
    "j1": "the same with IPCA",
}
SWEEPS = [
    *(Way(f"weaken_beta {beta:g}", svr={"weaken_beta": beta}) for beta in (0.0, 0.01, 0.2, 0.5)),
    *(Way(f"enhance_beta {beta:g}", svr={"enhance_beta": beta}) for beta in (1.5, 2.0)),
    *(Way(f"(e), `window_length` {length}", window_length=length) for length in (2, 3)),
    *(
        replace(
            ROWS["h"],
            label=f"`window_length` 1 + IPCA at strength {strength:g}",
            ipca={"strength": strength},
        )
        for strength in (3.0, 10.0)
    ),
    # Where in the model and when: what may keep more of the identity, or let it cost less.
    *(
        Way(f"(e) + IPCA at strength 10, {name} blocks", ipca={"strength": 10.0, "blocks": blocks})
        for name, blocks in (("first two", "block0, block1"), ("last two", "block3, block4"))
    ),
    Way("(e) + IPCA at strength 10 from step 4", ipca={"strength": 10.0, "start_at_step": 4}),
    Way("(e) in the joint blocks alone, not in the refiner", beta_on=JOINT),
]


def render(
    studios: dict[str, Studio], story: dict, row: Way, seed: int, setting: Setting
) -> tuple[torch.Tensor, float]:
    """The story's latents [frames, 3, h, w], and the seconds it took. `studios`: by whether the
    pack takes an embedding's length for lost, the key "", or for read, the key EMBEDDINGS.
    """
    start = time.monotonic()
    studio = studios[EMBEDDINGS if row.beta_on == EMBEDDINGS else ""]
    told = studio.prompt(story["identity"], story["frames"], row.window_length)
    overridden = row.beta_on in OVERRIDES

    def patched(positive: list) -> ModelPatcher:
        """What the pack does not do with its factors, by an override of our own."""
        length = positive[0][0].shape[1]
        return with_override(studio.model, OVERRIDES[row.beta_on](length, factors_in(positive)))

    if overridden or not row.one_prompt or row.window_length < len(story["frames"]):
        setting = replace(setting, batch=EACH_ALONE)
    how = {"patched": patched} if overridden else {}
    return sampled(studio, told, row, seed, setting, **how), time.monotonic() - start


def factors_in(positive: list) -> tuple[tuple[int, float], ...]:
    """The factors of the one row of a CONDITIONING, as SVR Reweight wrote them."""
    (record,) = positive[0][1][ROWS_KEY]
    return record.factors


def counting(length: int, factors: tuple[tuple[int, float], ...]) -> Callable:
    """A bias log f on the logits of a text of `length` tokens, alone and with the picture: each key
    counts as often as its factor says.
    """
    bias = torch.zeros(length + IMAGE)
    for position, factor in factors:
        bias[position] = math.log(max(factor, 1e-30))

    def override(func: Callable, q, k, v, heads, mask=None, *args, **kwargs) -> torch.Tensor:
        keys = k.shape[2]
        if keys in (length, length + IMAGE):
            mask = bias[None, None, None, :keys].to(q).expand(1, 1, q.shape[2], keys)
        return func(q, k, v, heads, mask, *args, **kwargs)

    return override


def scaling_joint(length: int, factors: tuple[tuple[int, float], ...]) -> Callable:
    """Keys and values times f where a text of `length` tokens is with the picture, not before."""

    def override(func: Callable, q, k, v, *args, **kwargs) -> torch.Tensor:
        if k.shape[2] == length + IMAGE:
            k, v = k.clone(), v.clone()
            for position, factor in factors:
                k[:, :, position] *= factor
                v[:, :, position] *= factor
        return func(q, k, v, *args, **kwargs)

    return override


OVERRIDES = {WEIGHTS: counting, JOINT: scaling_joint}
