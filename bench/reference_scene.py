"""A story with pictures of its cast on small models that read references, and ComfyUI's own graph
for each of its frames.
"""

import torch

from bench import inprocess
from bench.studio import Studio
from bench.toy_encoders import WIDTH, toy_encoder
from bench.toy_models import L_WIDTH
from bench.toy_transformers import SHAPES, toy_transformer
from bench.toy_vae import LinearVae

IDENTITY = "A photo of\n@girl: a girl with red braids\n@dog: a small brown dog"
FRAMES = [
    "@girl feeding ducks",
    "@dog at the pond",
    "@girl and @dog in the snow",
    "the street at night @nobody",
    "@girl baking",
]
CASTS = ["girl", "dog", "girl dog", "", "girl"]
TEXTS = [
    "girl feeding ducks",
    "dog at the pond",
    "girl and dog in the snow",
    "the street at night",
    "girl baking",
]
WHOLE_IDENTITY = "A photo of a girl with red braids a small brown dog"

# By name: the model's shape and what its text encoder changes of it, the text encoder, whether it
# looks at pictures.
MODELS = {
    "flux": ("flux", {"context_in_dim": WIDTH, "vec_in_dim": L_WIDTH}, "flux", False),
    "flux2": ("flux2", {"context_in_dim": 3 * WIDTH}, "flux2", False),
    "klein": ("flux2", {"context_in_dim": 3 * WIDTH}, "klein", False),
    "qwen-image-edit": ("qwen-image", {"joint_attention_dim": WIDTH}, "qwen-image", True),
}
HERE = [name for name, (shape, *_) in MODELS.items() if shape in SHAPES]


def picture(seed: int, height: int = 64, width: int = 96) -> torch.Tensor:
    """An IMAGE of soft random colours."""
    small = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, (height, width), mode="bilinear").movedim(1, -1)


GIRL, DOG, STYLE = picture(1), picture(2, 80, 64), picture(3)
BOTH = {"girl": GIRL, "dog": DOG}


class ReferenceScene(Studio):
    """`pictures`: by character, "" for every frame, in their order."""

    def __init__(self, name, nodes, frames=FRAMES, identity=IDENTITY):
        inprocess.load_core_extras("qwen", "edit_model")
        family, changed, kind, self.sighted = MODELS[name]
        model = toy_transformer(family, **changed)
        super().__init__(nodes, model, toy_encoder(kind, sight=self.sighted), identity, frames)
        form = model.get_model_object("latent_format")
        self.vae = LinearVae(
            form.latent_channels, 16 if family == "flux2" else 8, axes=form.latent_dimensions - 2
        )

    def refer(self, story, image, character="", megapixels=0.0, vae=None):
        given = {
            "story": story,
            "image": image,
            "vae": vae or self.vae,
            "character": character,
            "megapixels": megapixels,
        }
        return (
            self.nodes["StoryReference"]
            .execute(**{name: [value] for name, value in given.items()})
            .args[0][0]
        )

    def told(self, pictures, window_length=1, frames=None):
        """The story with these pictures, and its frames as SVR Reweight encodes them without
        reweighting.
        """
        story = self.prompt(self.identity, frames or FRAMES, window_length)
        for character, image in pictures.items():
            story = self.refer(story, image, character)
        return story, self.svr(story, mode="original")

    def rendered(self, pictures, cfg=1.0, **inputs):
        """Every frame's latent: SVR Reweight, Story Batch, KSampler."""
        story, frames = self.told(pictures)
        return self.sampled(story, frames, cfg, **inputs)

    def sampled(self, story, frames, cfg=1.0, model=None, negative=None, steps=2, **inputs):
        given = {"frames_per_batch": 1, "width": 64, "height": 64, "model": self.model, **inputs}
        positives, latents, _, negatives, _ = self.batch(
            story, frames, negative=negative or self.negative, **given
        )
        each = [
            self.ksampler(*one, cfg, model or self.model, steps)
            for one in zip(positives, latents, negatives)
        ]
        return [row for batch in each for row in batch.split(1)]

    def ksampler(self, positive, latent, negative, cfg=1.0, model=None, steps=2):
        given = {
            "positive": positive,
            "negative": negative,
            "latent_image": latent,
            "model": model or self.model,
        }
        settings = {
            "seed": 7,
            "steps": steps,
            "cfg": cfg,
            "sampler_name": "euler",
            "scheduler": "simple",
            "denoise": 1.0,
        }
        return self.core("KSampler", **given, **settings)["samples"]

    def by_core(self, frame, pictures, cfg=1.0):
        """The frame's latent by ComfyUI's own nodes: its text, then its pictures, then KSampler."""
        seen = [
            image
            for character, image in pictures.items()
            if not character or character in CASTS[frame].split()
        ]
        text = f"{WHOLE_IDENTITY} {TEXTS[frame]}"
        if seen and self.sighted:
            slots = {f"image{number}": image for number, image in enumerate(seen, 1)}
            positive = self.core(
                "TextEncodeQwenImageEditPlus", clip=self.clip, prompt=text, **slots
            )
        else:
            positive = self.core("CLIPTextEncode", clip=self.clip, text=text)
        negative = self.negative
        for image in seen:
            latent = self.core("VAEEncode", vae=self.vae, pixels=image)
            positive = self.core("ReferenceLatent", conditioning=positive, latent=latent)
            negative = self.core("ReferenceLatent", conditioning=negative, latent=latent)
        return self.ksampler(positive, self.empty(), negative, cfg)

    def empty(self):
        form = self.model.get_model_object("latent_format")
        side = 64 // self.vae.pixels
        return {
            "samples": torch.zeros(
                1, form.latent_channels, *(1,) * (form.latent_dimensions - 2), side, side
            )
        }
