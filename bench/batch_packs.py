"""Stand-ins for packs between the sampler and the model, which cut, stack or reorder the batch as
such packs do.
"""

from concurrent.futures import ThreadPoolExecutor
from types import MethodType

import torch
from comfy.patcher_extension import WrappersMP


def ipca_lines(warnings_of):
    return [
        line for line in warnings_of() if line.startswith("IPCA Patch") and "normalises" not in line
    ]


def of_rows(c, rows, of):
    """The keywords of a model call with `of` applied to every tensor that has the batch's length,
    as such packs do.
    """
    return {
        key: of(value) if torch.is_tensor(value) and len(value) == rows else value
        for key, value in c.items()
    }


def tiles(apply, args):
    """Left and right half of every latent, one after the other in one batch, as TiledDiffusion
    stacks its tiles.
    """
    x, t, rows = args["input"], args["timestep"], len(args["input"])
    left, right = x.chunk(2, dim=-1)
    out = apply(
        torch.cat([left, right]),
        t.repeat(2),
        **of_rows(args["c"], rows, lambda v: v.repeat(2, *[1] * (v.ndim - 1))),
    )
    return torch.cat(out.chunk(2), dim=-1)


def halves(first):
    """The batch in two calls, `first` of its rows and the others."""

    def split(apply, args):
        x, t, rows = args["input"], args["timestep"], len(args["input"])
        parts = [slice(0, first), slice(first, rows)]
        return torch.cat(
            [
                apply(x[part], t[part], **of_rows(args["c"], rows, lambda v, part=part: v[part]))
                for part in parts
            ]
        )

    return split


def reversed_rows(apply, args):
    rows = len(args["input"])
    out = apply(
        args["input"].flip(0),
        args["timestep"].flip(0),
        **of_rows(args["c"], rows, lambda v: v.flip(0)),
    )
    return out.flip(0)


def without_our_numbers(inner):
    """A pack that hands on only the keywords that it knows."""

    def drop(apply, args):
        c = {key: value for key, value in args["c"].items() if not key.startswith("one_prompt")}
        return inner(apply, {**args, "c": c})

    return drop


def whole(apply, args):
    return apply(args["input"], args["timestep"], **args["c"])


def under(model, wrapper):
    patched = model.clone()
    patched.set_model_unet_function_wrapper(wrapper)
    return patched


PACKS = {
    "tiles": tiles,
    "halves": halves(3),
    "one row, then the others": halves(1),
    "reversed": reversed_rows,
}


def in_parts(model, sizes):
    """The forward of this very model replaced by one that gives threads some of the rows, as
    ParallelAnything does.
    """
    own = model.forward

    def split(value, rows):
        if torch.is_tensor(value) and len(value) == rows:
            return value.split(sizes)
        if (
            isinstance(value, (list, tuple))
            and value
            and all(torch.is_tensor(item) and len(item) == rows for item in value)
        ):
            return [type(value)(items) for items in zip(*(item.split(sizes) for item in value))]
        return [value] * len(sizes)

    def forward(self, x, timesteps, context=None, **kwargs):
        rows = len(x)
        if rows != sum(sizes):
            return own(x, timesteps, context=context, **kwargs)
        keywords = {key: split(value, rows) for key, value in kwargs.items()}
        parts = list(zip(x.split(sizes), timesteps.split(sizes), context.split(sizes)))

        def run(number):
            part, t, text = parts[number]
            with torch.inference_mode():
                return own(
                    part, t, context=text, **{key: value[number] for key, value in keywords.items()}
                )

        with ThreadPoolExecutor(len(sizes)) as pool:
            return torch.cat(list(pool.map(run, range(len(sizes)))))

    model.forward = MethodType(forward, model)


def windows(model, size):
    """Each model call gets some of the frames, with their own conditionings, as a sliding window
    over a long batch.
    """

    def cut(value, rows, window):
        if torch.is_tensor(value):
            return value[window] if len(value) == rows else value
        if hasattr(value, "cond") and torch.is_tensor(value.cond) and len(value.cond) == rows:
            return value._copy_with(value.cond[window])
        if isinstance(value, dict):
            return {key: cut(item, rows, window) for key, item in value.items()}
        return value

    def around(executor, base, conds, x, timestep, options):
        rows, out = len(x), [torch.zeros_like(x) for _ in conds]
        for start in range(0, rows, size):
            window = slice(start, start + size)
            own = [
                None if cond is None else [cut(entry, rows, window) for entry in cond]
                for cond in conds
            ]
            for whole_out, part in zip(
                out, executor(base, own, x[window], timestep[window], options)
            ):
                whole_out[window] = part
        return out

    patched = model.clone()
    patched.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, "windows", around)
    return patched
