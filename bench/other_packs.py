"""The nodes of other packs, called as a graph calls them, with small random weights. A `module` is
a function that finds a pack's own modules by the end of their name.
"""

import math

import torch

from bench.references import sites


class IPAdapter:
    """IPAdapter plus with random weights in its format for SD1.5, and embeds of four pictures."""

    def __init__(self, module, s):
        plus, self.nodes = module("IPAdapterPlus"), s.nodes
        generator = torch.Generator().manual_seed(9)
        width = s.frames[0][0].shape[-1]
        rows = {
            (place, number): attn2.to_k.weight.shape[0]
            for place, number, _, attn2 in sites(s.model)
        }
        order = [("input", number) for number in (1, 2, 4, 5, 7, 8)]
        order += [("output", number) for number in range(3, 12)] + [("middle", 0)]
        keys_and_values = {
            f"{2 * place + 1}.to_{what}_ip.weight": torch.randn(
                rows[site], width, generator=generator
            )
            / math.sqrt(width)
            for place, site in enumerate(order)
            for what in "kv"
        }
        projection = plus.ImageProjModel(width, 12, 4)
        for parameter in projection.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 2
        self.weights = {"image_proj": projection.state_dict(), "ip_adapter": keys_and_values}
        self.pictures = torch.randn(4, 12, generator=generator)

    def on(self, model, pictures, node="IPAdapterEmbeds"):
        nothing = torch.zeros_like(pictures)
        given = (model, self.weights, pictures, 0.8, "linear", 0.0, 1.0, nothing)
        return self.nodes[node]().apply_ipadapter(*given)[0]


class Nag:
    """ComfyUI-NAG's own KSampler."""

    def __init__(self, module):
        self.node = module("node").KSamplerWithNAG

    def sample(self, s, model, positive, latent):
        node = self.node()
        return getattr(node, node.FUNCTION)(
            model=model,
            seed=7,
            steps=2,
            cfg=1.0,
            nag_scale=5.0,
            nag_tau=2.5,
            nag_alpha=0.25,
            nag_sigma_end=0.0,
            sampler_name="euler",
            scheduler="normal",
            positive=positive,
            negative=s.negative,
            nag_negative=s.negative,
            latent_image=latent,
            denoise=1.0,
        )[0]["samples"]


class Reference:
    """Advanced-ControlNet's Reference ControlNet, its preprocessor and its apply node."""

    def __init__(self, module, monkeypatch):
        self.nodes, self.main = module("nodes_reference"), module("nodes_main")
        # It draws new noise at every call: without it two runs can be compared.
        own = module("control_reference")
        noised = own.ref_noise_latents
        still = lambda latents, sigma, noise=None: noised(latents, sigma, torch.zeros_like(latents))  # noqa: E731
        monkeypatch.setattr(own, "ref_noise_latents", still)

    def apply(self, positive, negative, pictures, kind):
        size = {"samples": torch.zeros(1, 4, 8, 8)}
        hint = self.nodes.ReferencePreprocessorNode.execute(Vae(), pictures, size).args[0]
        network = self.nodes.ReferenceControlNetNode.execute(kind, 0.5, 1.0).args[0]
        given = (positive, negative, network, hint, 1.0, 0.0, 1.0)
        return self.main.AdvancedControlNetApply.execute(*given).args


class Vae:
    """Encodes a picture as its own numbers, and back."""

    def vae_encode_crop_pixels(self, pixels):
        return pixels

    def encode(self, pixels):
        return (pixels[:, ::8, ::8, :1].movedim(-1, 1) * 4 - 2).expand(-1, 4, -1, -1).clone()

    def decode(self, samples):
        pixels = ((samples[:, :1] + 2) / 4).movedim(1, -1).expand(-1, -1, -1, 3)
        return pixels.repeat_interleave(8, 1).repeat_interleave(8, 2)

    def spacial_compression_encode(self):
        return 8


class Box:
    """A detector in the place of Impact-Subpack's, whose models are not here: one face, always."""

    def __init__(self, core):
        self.core = core

    def setAux(self, text):
        pass

    def detect(self, image, threshold, dilation, crop_factor, drop_size, detailer_hook=None):
        mask = torch.zeros(1, *image.shape[1:3])
        mask[:, 16:48, 16:48] = 1
        return self.core.mask_to_segs(mask, False, crop_factor, False, drop_size)
