"""A stand-in for Qwen-Image 2.1, which ComfyUI has from 0.37 on: block-causal attention over text,
references and target.

Written from what its calls look like, not from its weights: the same class name, keywords,
segments, options and calls of ComfyUI's attention, small and plain inside. The text's positions
have no rotation. Where ComfyUI has the class itself, `toy_transformers.py` takes that one.
"""

import comfy.conds
import comfy.latent_formats
import comfy.model_base
import comfy.patcher_extension
import comfy.supported_models_base
import torch
import torch.nn.functional as F
from comfy.ldm.modules.attention import optimized_attention
from torch import nn

CHANNELS = 64


class Block(nn.Module):
    def __init__(self, width, heads, make):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = make(width, 3 * width), make(width, width)
        self.up, self.down = make(width, 2 * width), make(2 * width, width)

    def forward(self, x, scale, attend):
        normed = F.layer_norm(x, x.shape[-1:]) * (1 + scale)
        x = x + self.out(attend(*self.qkv(normed).chunk(3, dim=-1)))
        return x + self.down(F.silu(self.up(F.layer_norm(x, x.shape[-1:]) * (1 + scale))))


class Transformer(nn.Module):
    """With `cache`, the prefix's keys and values are kept from a text's first call, and later calls
    are the target's only.
    """

    def __init__(
        self,
        num_layers,
        num_attention_heads,
        attention_head_dim,
        context_in_dim,
        dtype=None,
        device=None,
        operations=None,
        **others,
    ):
        super().__init__()
        width, heads = num_attention_heads * attention_head_dim, num_attention_heads
        self.dtype, self.heads, self.cache = dtype, heads, None

        def make(wide, out):
            return operations.Linear(wide, out, bias=False, dtype=dtype, device=device)

        self.txt_norm = operations.RMSNorm(context_in_dim, eps=1e-6, dtype=dtype, device=device)
        self.txt_in, self.img_in, self.time_in = (
            make(context_in_dim, width),
            make(CHANNELS, width),
            make(1, width),
        )
        self.place_in = make(2, width)
        self.transformer_blocks = nn.ModuleList(
            Block(width, heads, make) for _ in range(num_layers)
        )
        self.proj_out = make(width, CHANNELS)

    def reset_prefix_cache(self, enabled):
        self.cache = {} if enabled else None

    def forward(
        self,
        x,
        timestep,
        context,
        ref_latents=None,
        image_slots=None,
        transformer_options=None,
        **kwargs,
    ):
        transformer_options = {} if transformer_options is None else transformer_options
        wrappers = comfy.patcher_extension.get_all_wrappers(
            comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, transformer_options
        )
        executor = comfy.patcher_extension.WrapperExecutor.new_class_executor(
            self._forward, self, wrappers
        )
        return executor.execute(
            x, timestep, context, ref_latents, image_slots, transformer_options, **kwargs
        )

    def _image(self, latent):
        y, x = (torch.linspace(-1, 1, size, dtype=latent.dtype) for size in latent.shape[-2:])
        places = torch.cartesian_prod(y, x)
        return self.img_in(latent.flatten(2).transpose(1, 2)) + self.place_in(places)

    def _segments(self, context, references, slots):
        """The prefix's parts in running order, each with whether it is text."""
        text = self.txt_in(self.txt_norm(context))
        slots = (list(slots) + [text.shape[1]] * len(references))[: len(references)]
        start = 0
        for slot, reference in zip(slots, references):
            if slot > start:
                yield text[:, start:slot], True
            yield self._image(reference), False
            start = slot
        if text.shape[1] > start:
            yield text[:, start:], True

    def _forward(
        self,
        x,
        timestep,
        context,
        ref_latents=None,
        image_slots=None,
        transformer_options=None,
        **kwargs,
    ):
        parts = list(self._segments(context, ref_latents or [], image_slots or []))
        kept = (
            None
            if self.cache is None
            else self.cache.setdefault((tuple(context.shape), float(context.double().sum())), {})
        )
        cached = bool(kept)
        target, prefix = self._image(x), torch.cat([part for part, _ in parts], dim=1)
        scale = self.time_in(timestep.to(x.dtype)[:, None])[:, None]
        transformer_options["block_type"] = "single"
        for index, block in enumerate(self.transformer_blocks):
            transformer_options["block_index"] = index
            if not cached:
                prefix, keys = self._read_prefix(block, prefix, parts, transformer_options)
                if kept is not None:
                    kept[index] = keys
            k_prefix, v_prefix = kept[index] if cached else keys

            def attend(q, k, v, k_prefix=k_prefix, v_prefix=v_prefix):
                k, v = torch.cat([k_prefix, k], dim=1), torch.cat([v_prefix, v], dim=1)
                return optimized_attention(
                    q, k, v, self.heads, transformer_options=transformer_options
                )

            target = block(target, scale, attend)
        out = self.proj_out(F.layer_norm(target, target.shape[-1:]))
        return out.transpose(1, 2).reshape(x.shape)

    def _read_prefix(self, block, prefix, parts, transformer_options):
        """The prefix through one block, and its keys and values. Text reads causally, a reference
        all that is before its end.
        """
        seen = {}

        def attend(q, k, v):
            seen["keys"] = k, v
            outs, start = [], 0
            for part, is_text in parts:
                end = start + part.shape[1]
                mask = (
                    torch.ones(end - start, end, dtype=torch.bool).tril(start) if is_text else None
                )
                outs.append(
                    optimized_attention(
                        q[:, start:end],
                        k[:, :end],
                        v[:, :end],
                        self.heads,
                        mask=mask,
                        transformer_options=transformer_options,
                    )
                )
                start = end
            return torch.cat(outs, dim=1)

        return block(prefix, 0.0, attend), seen["keys"]


class QwenImage21(comfy.model_base.BaseModel):
    def __init__(self, config, device=None):
        super().__init__(
            config, comfy.model_base.ModelType.FLUX, device=device, unet_model=Transformer
        )

    def extra_conds(self, **kwargs):
        out = super().extra_conds(**kwargs)
        out["c_crossattn"] = comfy.conds.CONDRegular(kwargs["cross_attn"])
        references = kwargs.get("reference_latents")
        if references is not None:
            out["ref_latents"] = comfy.conds.CONDList(
                [self.process_latent_in(latent) for latent in references]
            )
        if kwargs.get("image_slots") is not None:
            out["image_slots"] = comfy.conds.CONDConstant(kwargs["image_slots"])
        return out


class Format(comfy.latent_formats.LatentFormat):
    latent_channels = CHANNELS
    spacial_downscale_ratio = 16


class Supported(comfy.supported_models_base.BASE):
    unet_config = {"image_model": "qwen_image21"}
    unet_extra_config = {}
    sampling_settings = {"shift": 1.15}
    latent_format = Format

    def get_model(self, state_dict, prefix="", device=None):
        return QwenImage21(self, device=device)
