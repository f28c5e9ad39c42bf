"""Independent restatements of what IPCA computes, and stand-ins for neighbours, as plain ComfyUI
patches.

None of this shares a line with the pack: it is what the pack is tested against.
"""

import math

import torch
from comfy.ldm.modules.attention import attention_basic, optimized_attention


def sites(model):
    """(place, block, transformer) of every attn2, by walking the UNet's modules by name."""
    for name, module in model.model.diffusion_model.named_modules():
        if name.endswith(".attn2"):
            place, *rest = name.split(".")
            number = 0 if place == "middle_block" else int(rest.pop(0))
            yield place.removesuffix("_block").removesuffix("_blocks"), number, int(rest[2]), module


class LogBias:
    """IPCA with protection as a bias: log(1 + strength) on the logits of the identity's own keys
    (causal CLIP).

    Which rows: those whose context is, bit for bit, one of the rows of `positive` (repeated whole
    or not).
    """

    def __init__(
        self,
        model,
        positive,
        keys,
        strength=1.0,
        chosen=lambda site: True,
        active=lambda sigma: True,
    ):
        self.model = model.clone()
        self.keys, self.strength, self.active = keys, strength, active
        self.length, self.known = (
            positive[0][0].shape[1],
            {row.numpy().tobytes() for row in positive[0][0]},
        )
        self.seen, self.rows = None, []
        self.model.set_model_attn2_patch(self.find_rows)
        for place, number, index, _ in sites(self.model):
            if chosen((place, number, index)):
                self.model.set_model_attn2_replace(self.attend, place, number, index)

    def find_rows(self, n, context, value, extra_options):
        if context is not self.seen:  # every attn2 of a UNet call has the same
            self.seen, self.rows = (
                context,
                [
                    row[: self.length].contiguous().numpy().tobytes() in self.known
                    for row in context
                ],
            )
        extra_options["reference_rows"] = self.rows
        return n, context, value

    def attend(self, q, k, v, extra_options):
        bias = torch.zeros(q.shape[0], 1, 1, k.shape[1])
        if self.active(float(extra_options["sigmas"][0])):
            for row, carries in enumerate(extra_options["reference_rows"]):
                if carries:
                    for start in range(0, k.shape[1], self.length):
                        bias[row, ..., start : start + self.keys] = math.log(1 + self.strength)
        return attention_basic(
            q, k, v, extra_options["n_heads"], mask=bias.expand(-1, -1, q.shape[1], -1)
        )


def bias_form(studio, model=None, frames=None, **more):
    """The studio's model (or another) with IPCA as a bias on the identity's own keys, in IPCA
    Patch's place.
    """
    return LogBias(
        model or studio.model, frames or studio.frames, studio.identity_tokens(), **more
    ).model


class KeysAndValues:
    """IPCA as written in the paper: the keys and values of a whole other prompt joined to rows that
    are positive.
    """

    def __init__(self, model, memory, positive_chunk=0):
        self.model, self.memory, self.chunk = model.clone(), memory, positive_chunk
        for place, number, index, attn2 in sites(self.model):
            self.model.set_model_attn2_replace(self.at(attn2), place, number, index)

    def at(self, attn2):
        def attend(q, k, v, extra_options):
            chunks = extra_options["cond_or_uncond"]
            out = []
            for chunk, (q1, k1, v1) in zip(
                chunks, zip(q.chunk(len(chunks)), k.chunk(len(chunks)), v.chunk(len(chunks)))
            ):
                if chunk == self.chunk:
                    memory = self.memory.expand(q1.shape[0], -1, -1)
                    k1, v1 = (
                        torch.cat([k1, attn2.to_k(memory)], 1),
                        torch.cat([v1, attn2.to_v(memory)], 1),
                    )
                out.append(attention_basic(q1, k1, v1, extra_options["n_heads"]))
            return torch.cat(out)

        return attend


class AdditiveHost:
    """What IPAdapter, PuLID and InstantID put at a site: attention plus every callback's delta
    within its sigmas.
    """

    def __init__(self, callback, **kwargs):
        self.entries = [(callback, kwargs)]

    def add(self, callback, **kwargs):
        self.entries.append((callback, kwargs))

    def __call__(self, q, k, v, extra_options):
        out = optimized_attention(q, k, v, extra_options["n_heads"])
        sigma = float(extra_options["sigmas"][0])
        for callback, kwargs in self.entries:
            if kwargs["sigma_end"] <= sigma <= kwargs["sigma_start"]:
                out = out + callback(out, q, k, v, extra_options, **kwargs)
        return out.to(q.dtype)


def install_additive(model, callback, whole_block, **kwargs):
    """Install as that family does: `.add` to whatever is at the key, else the own host.
    `whole_block`: SD1.5's 2-tuple keys.
    """
    kwargs = {"sigma_start": 1e9, "sigma_end": 0.0, **kwargs}
    patched = model.clone()
    for place, number, index, _ in sites(patched):
        if whole_block and index > 0:
            continue
        key = (place, number) if whole_block else (place, number, index)
        options = patched.model_options["transformer_options"] = dict(
            patched.model_options["transformer_options"]
        )
        replaced = options["patches_replace"] = dict(options.get("patches_replace", {}))
        attn2 = replaced["attn2"] = dict(replaced.get("attn2", {}))
        if key in attn2:
            attn2[key].add(callback, **kwargs)
        else:
            attn2[key] = AdditiveHost(callback, **kwargs)
    return patched


def install_wrapping(model, factor):
    """Install as NAG does: a closure at every 3-tuple key around what was there; it scales the
    output by `factor`.
    """
    patched = model.clone()
    for place, number, index, _ in sites(patched):
        attn2 = (
            patched.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
        )
        previous = attn2.get((place, number)) or attn2.get((place, number, index))

        def closure(q, k, v, extra_options, previous=previous):
            if previous is None:
                return optimized_attention(q, k, v, extra_options["n_heads"]) * factor
            return previous(q, k, v, extra_options) * factor

        key = (place, number) if (place, number) in attn2 else (place, number, index)
        patched.set_model_attn2_replace(closure, *key[:2], key[2] if len(key) == 3 else None)
    return patched


def published_svr(encoding, phrases, frame, ends, eot_apart):
    """SVR with the full-size SVD on one tower [T, d]: weaken every phrase but `frame`, then enhance
    it; defaults.
    """
    out = encoding.double()
    passes = [(phrase, -0.01, 0.05) for index, phrase in enumerate(phrases) if index != frame] + [
        (phrases[frame], 0.01, 1.0)
    ]
    for phrase, alpha, beta in passes:
        rows = phrase if eot_apart else phrase + ends
        u, s, vt = torch.linalg.svd(out[rows], full_matrices=True)
        middle = torch.zeros(len(rows), encoding.shape[1], dtype=torch.float64)
        middle[range(len(s)), range(len(s))] = beta * torch.exp(alpha * s) * s
        out[rows] = u @ middle @ vt
        if eot_apart:
            out[ends] *= 0.9
    return out.float()
