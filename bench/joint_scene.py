"""A small transformer and two frames of a story for it, made by hand, and IPCA said by other means:
a bias on the identity's keys.

The bias shares no code with the pack, so that tests can hold the pack against it.
"""

import dataclasses
import importlib
import math

import comfy.sample
import torch
from comfy.ldm.modules.attention import attention_basic

from bench.studio import defaults_of, with_override
from bench.toy_transformers import POOLED_WIDTH, TEXT_WIDTH, toy_latent, toy_transformer

LENGTH = 12
IDENTITY = (2, 3, 4, 5)  # where the identity is in the text
SCENES = ((7, 8), (9, 10))  # of the two frames that share the prompt, after the fox and the cat
IMAGE = 16  # image tokens of the tests' latent: 8x8 in patches of 2x2, or 4x4 in patches of 1
STAGES = {
    "double_blocks": "double",
    "double_stream_blocks": "double",
    "transformer_blocks": "block",
    "layers": "block",
    "joint_blocks": "block",
    "blocks": "block",
}
SMALL_PATCHES = (
    "flux2",
    "mage-flow",
    "ideogram4",
    "qwen-image-2.1",
)  # of one latent pixel; the latents of these are half as large
# HiDream's second text, Llama's three layers: longer than the first, and the identity is one column
# later.
LLAMA = "conditioning_llama3"
LLAMA_LENGTH = 14


def in_llama(columns):
    return tuple(column + 1 for column in columns)


class Scene:
    """A family's model, and a story's CONDITIONING made by hand: any text encoder would do.
    `changed` replaces numbers of the model's shape.
    """

    def __init__(self, family, pack, nodes, **changed):
        self.family, self.nodes = family, nodes
        self.model = toy_transformer(family, **changed)
        self.side = 4 if family in SMALL_PATCHES else 8
        self.rows = importlib.import_module(f"{pack.__name__}.story.rows")
        self.story = (
            nodes["StoryPrompt"]
            .execute(
                identity=["@fox: a fox\n@cat: a cat"],
                frames=["@fox at sea\n@cat in snow"],
                window_length=[10],
            )
            .args[0][0]
        )
        # In running order of the joint calls' blocks: as the model's own lists have them.
        transformer = self.model.model.diffusion_model
        self.blocks = sum(
            len(getattr(transformer, name, ()))
            for name in (*STAGES, "single_blocks", "single_stream_blocks")
        )
        self.refining = False  # whether a block is at work in which the text attends to itself
        for block in getattr(transformer, "context_refiner", ()):
            block.register_forward_pre_hook(lambda *_: setattr(self, "refining", True))
            block.register_forward_hook(lambda *_: setattr(self, "refining", False))

    def text(self, seed, frames=1, length=LENGTH):
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randn(frames, length, TEXT_WIDTH, generator=generator)
        # Lumina's encoder gives a mask, from which older cores count the text.
        mask = (
            {"attention_mask": torch.ones(frames, length, dtype=torch.int64)}
            if self.family in ("lumina2", "newbie")
            else {}
        )
        more = {
            "pooled_output": torch.randn(frames, POOLED_WIDTH, generator=generator),
            "guidance": 3.5,
            **mask,
        }
        if self.family == "hidream":
            more[LLAMA] = torch.randn(
                frames, 3, length + LLAMA_LENGTH - LENGTH, TEXT_WIDTH, generator=generator
            )
        return rows, more

    def frames(self, places, seed=1, factors=None, **more):
        """CONDITIONING with a row for each of `places`, the columns of that row's identity.
        `factors`: {column: factor} of each.
        """
        rows, extra = self.text(seed, len(places), **more)
        record = self.rows.Row(self.story.identity_phrases, 0, (0,), (), LENGTH)
        records = tuple(
            dataclasses.replace(record, phrases=(columns, (), *SCENES), factors=tuple(each.items()))
            for columns, each in zip(places, factors or [{}] * len(places), strict=True)
        )
        if self.family == "hidream":
            records = tuple(
                dataclasses.replace(
                    record, second=tuple(map(in_llama, record.phrases)), second_length=LLAMA_LENGTH
                )
                for record in records
            )
        return [[rows, {**extra, self.rows.ROWS_KEY: records}]]

    def ipca(self, model=None, **inputs):
        node = self.nodes["IPCAPatch"]
        clip = type("AnyClip", (), {"tokenize": None, "cond_stage_model": None})()
        given = {"model": model or self.model, "clip": clip, "story": self.story, **inputs}
        return node.execute(**{**defaults_of(node), **given}).args[0]

    def sample(self, model, positive=None, negative=None, cfg=3.0, steps=2, batch=None, **more):
        positive = positive or self.frames([IDENTITY])
        latent = toy_latent(self.family, self.side, batch or len(positive[0][0]))
        noise = comfy.sample.prepare_noise(latent, 7, [0] * len(latent))
        negative = negative or [list(self.text(99))]
        return comfy.sample.sample(
            model,
            noise,
            steps,
            cfg,
            "euler",
            "simple",
            positive,
            negative,
            latent,
            seed=7,
            disable_pbar=True,
            **more,
        )

    def first_outputs(self, model, positive=None, length=LENGTH):
        """What the first model call with it gives each chunk, by its number, with a negative of
        that length.
        """
        seen, spied = {}, model.clone()

        def spy(apply, args):
            out = apply(args["input"], args["timestep"], **args["c"])
            for chunk, rows in zip(args["cond_or_uncond"], out.chunk(len(args["cond_or_uncond"]))):
                seen.setdefault(chunk, rows)
            return out

        spied.set_model_unet_function_wrapper(spy)
        self.sample(spied, positive, [list(self.text(99, length=length))], steps=1)
        return seen

    def keys_of(self, columns):
        """The identity's places among the text's keys; HiDream's second text is there twice."""
        llama = in_llama(columns) if self.family == "hidream" else ()
        return [
            *columns,
            *(LENGTH + again + column for again in (0, LLAMA_LENGTH) for column in llama),
        ]

    def biased(
        self,
        strength=1.0,
        columns=IDENTITY,
        chosen=None,
        active=lambda sigma: True,
        keys=None,
        image=None,
        factors=None,
        refined=True,
    ):
        """The model with log(1 + strength) on the logits of those text columns, in joint calls of
        positive rows; and keys and values multiplied by `factors`, {text column: factor}, in every
        block, the refiner's included where it is `refined`.
        """
        keys = self.keys_of(columns) if keys is None else keys
        image = image or (32 if self.family == "z-image" else IMAGE)
        start = {"flux2": 512 - LENGTH, "hidream": image}.get(self.family, 0)
        text = {"flux2": 512, "z-image": 32, "hidream": LENGTH + 2 * LLAMA_LENGTH}.get(
            self.family, LENGTH
        )
        calls = {"joint": 0}

        def override(func, q, k, v, heads, mask=None, **kwargs):
            options = kwargs["transformer_options"]
            split = kwargs.get("skip_reshape", False)
            axis = 2 if split else 1
            joint, refining = k.shape[axis] == text + image, self.refining and refined
            chunks = options["cond_or_uncond"]
            rows = q.shape[0] // len(chunks)
            if factors and (joint or refining):
                k, v = k.clone(), v.clone()
                for row in (row for row in range(q.shape[0]) if chunks[row // rows] == 0):
                    for column, factor in factors.items():
                        for tensor in (k, v):
                            tensor[row].select(axis - 1, column + (start if joint else 0)).mul_(
                                factor
                            )
            if not joint:
                return func(q, k, v, heads, mask, **kwargs)
            block = calls["joint"] % self.blocks
            calls["joint"] += 1
            bias = torch.zeros(q.shape[0], 1, 1, text + image)
            for place, chunk in enumerate(chunks):
                if (
                    chunk == 0
                    and (chosen is None or block in chosen)
                    and active(float(options["sigmas"][0]))
                ):
                    bias[place * rows : (place + 1) * rows, ..., [start + key for key in keys]] = (
                        math.log(1 + strength)
                    )
            if v.ndim == 4 and not split:
                v = v.flatten(2)
            return attention_basic(
                q,
                k,
                v,
                heads,
                mask=bias.expand(-1, -1, q.shape[2 if split else 1], -1),
                skip_reshape=split,
            )

        return with_override(self.model, override)
