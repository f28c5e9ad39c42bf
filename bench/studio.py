"""The pack's nodes and ComfyUI's sampler with short names and defaults, for tests."""

import comfy.sample
import comfy.samplers
import torch

FRAMES = ["wearing a scarf in a meadow", "playing in the snow", "foraging berries in the forest"]
# Nodes that take lists and make one thing of them; `call` gives them one value each.
TELL_LISTS = ("StoryPrompt", "StoryBatch")


def encode_each(clip, texts):
    encoded = [clip.encode_from_tokens_scheduled(clip.tokenize(text))[0] for text in texts]
    return [
        [
            torch.cat([cond for cond, _ in encoded]),
            {"pooled_output": torch.cat([extra["pooled_output"] for _, extra in encoded])},
        ]
    ]


def defaults_of(node):
    """What ComfyUI's page fills a node's inputs with."""
    return {
        item.id: item.default
        for item in node.GET_SCHEMA().inputs
        if getattr(item, "default", None) is not None
    }


class Studio:
    def __init__(
        self, nodes, model, clip, identity="A photo of a red fox with a green coat", frames=FRAMES
    ):
        self.nodes, self.model, self.clip = nodes, model, clip
        self.identity = identity
        self.story = self.prompt(identity, frames)
        self.frames = self.svr()
        self.negative = self.encode("blurry")

    def call(self, node_id, **inputs):
        """Execute a node with its defaults, as ComfyUI would fill them in. Returns its outputs."""
        node = self.nodes[node_id]
        given = {**defaults_of(node), **inputs}
        if node_id in TELL_LISTS:
            given = {name: [value] for name, value in given.items()}
        return node.execute(**given).args

    def core(self, node_id, **inputs):
        """Execute one of ComfyUI's own nodes, of either schema version. Returns its first
        output.
        """
        node = self.nodes[node_id]
        if hasattr(node, "define_schema"):
            out = node.execute(**inputs)
            return out[0] if isinstance(out, tuple) else out.args[0]
        return getattr(node(), node.FUNCTION)(**inputs)[0]

    def prompt(self, identity, frames, window_length=10):
        return self.call(
            "StoryPrompt", identity=identity, frames="\n".join(frames), window_length=window_length
        )[0][0]

    def svr(self, story=None, clip=None, **inputs):
        return self.call(
            "SVRReweight", clip=clip or self.clip, story=story or self.story, **inputs
        )[0]

    def ipca(self, model=None, story=None, **inputs):
        return self.call(
            "IPCAPatch",
            model=model or self.model,
            clip=self.clip,
            story=story or self.story,
            **inputs,
        )[0]

    def batch(self, story=None, frames=None, **inputs):
        """Story Batch on small pictures; four frames at once, to see what a batch does to them."""
        inputs = {"width": 64, "height": 64, "frames_per_batch": 4, **inputs}
        *lists, (share,), _, _ = self.call(
            "StoryBatch", story=story or self.story, frames=frames or self.frames, **inputs
        )
        return (*lists, share)

    def encode(self, text):
        """CLIP Text Encode."""
        return self.clip.encode_from_tokens_scheduled(self.clip.tokenize(text))

    def encode_each(self, texts):
        """CLIP Text Encode of each text, as one CONDITIONING with one row a text."""
        return encode_each(self.clip, texts)

    def identity_tokens(self):
        """Begin token and identity tokens at the beginning of every story prompt, counted by the
        tokenizer itself.
        """
        tower = next(
            part for part in vars(self.clip.tokenizer).values() if hasattr(part, "tokenizer")
        )
        return len(tower.tokenizer(self.identity)["input_ids"]) - 1

    def sample(
        self,
        model,
        positive=None,
        latent=None,
        negative=None,
        steps=2,
        cfg=4.0,
        sampler="euler",
        scheduler="normal",
        seed=7,
        **more,
    ):
        """ComfyUI's own sampling of one batch: what KSampler calls."""
        if positive is None:
            positives, latents, *_ = self.batch(frames_per_batch=0)
            positive, latent = positives[0], latents[0]
        samples = comfy.sample.fix_empty_latent_channels(model, latent["samples"])
        noise = comfy.sample.prepare_noise(samples, seed, latent.get("batch_index"))
        return comfy.sample.sample(
            model,
            noise,
            steps,
            cfg,
            sampler,
            scheduler,
            positive,
            negative or self.negative,
            samples,
            seed=seed,
            disable_pbar=True,
            **more,
        )

    def sample_with(self, guider, latent, steps=2, sampler="euler", seed=7):
        """SamplerCustomAdvanced's sampling with a guider."""
        sigmas = comfy.samplers.calculate_sigmas(
            guider.model_patcher.get_model_object("model_sampling"), "normal", steps
        )
        noise = comfy.sample.prepare_noise(latent["samples"], seed, latent.get("batch_index"))
        return guider.sample(
            noise,
            latent["samples"],
            comfy.samplers.sampler_object(sampler),
            sigmas,
            disable_pbar=True,
            seed=seed,
        )

    def story_batch(self, **inputs):
        """The whole story as one batch: positive, latent."""
        positives, latents, *_ = self.batch(frames_per_batch=0, **inputs)
        return positives[0], latents[0]


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return float((a - b).abs().max() / b.abs().max())


def with_override(model, override):
    """The model with another attention, as Sage nodes and others put it there."""
    patched = model.clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = override
    return patched
