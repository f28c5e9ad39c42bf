"""Other packs between the sampler and the model: rows keep their own identity, however the batch is
cut or stacked.

The independent form is IPCA as a bias, which knows rows by their embeddings, under the same pack.
"""

from concurrent.futures import ThreadPoolExecutor
from types import MethodType

import pytest
import torch
from comfy.patcher_extension import WrappersMP

from bench.joint_scene import IDENTITY, Scene
from bench.references import bias_form
from bench.studio import relative

ROUNDING = 1e-4
CAST = [
    "@girl feeding ducks",
    "@dog in the snow",
    "@girl and @dog at sea",
    "the street at night @nobody",
]


@pytest.fixture
def s(studio):
    return studio("small")


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


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_that_cuts_or_stacks_the_batch(s, name, warnings_of):
    expected = s.sample(under(bias_form(s), PACKS[name]))
    assert relative(s.sample(under(s.ipca(), PACKS[name])), expected) < ROUNDING
    assert relative(s.sample(under(s.model, PACKS[name])), expected) > 100 * ROUNDING
    assert not ipca_lines(warnings_of)


@pytest.mark.parametrize("name", PACKS)
def test_a_cast_under_such_a_pack(s, name):
    story = s.prompt("A photo of\n@girl: a girl with red braids\n@dog: a small brown dog", CAST)
    positive, latent = s.story_batch(story=story, frames=s.svr(story))
    alone = torch.cat(
        [
            s.sample(
                under(s.ipca(story=story), PACKS["tiles"] if name == "tiles" else whole),
                *s.story_batch(story=story, frames=s.svr(story), select=f"{n}"),
            )
            for n in (1, 2, 3, 4)
        ]
    )
    assert (
        relative(s.sample(under(s.ipca(story=story), PACKS[name]), positive, latent), alone)
        < ROUNDING
    )


def test_a_pack_that_drops_the_numbers(s, warnings_of):
    """Rows are named by their conditionings as long as the batch is whole; else IPCA steps aside
    with one line.
    """
    assert torch.equal(s.sample(under(s.ipca(), without_our_numbers(whole))), s.sample(s.ipca()))
    assert not ipca_lines(warnings_of)
    for cut in (tiles, halves(3)):
        assert (
            relative(
                s.sample(under(s.ipca(), without_our_numbers(cut))), s.sample(under(s.model, cut))
            )
            < ROUNDING
        )
    assert (
        len(ipca_lines(warnings_of)) == 1
        and "changed the batch between the sampler and the model" in ipca_lines(warnings_of)[0]
    )


def test_a_pack_that_drops_the_numbers_beside_a_region(s):
    """ComfyUI gives the negative a region under the positive's name: it must not be taken for the
    positive.
    """
    area = s.core(
        "ConditioningSetArea", conditioning=s.frames, width=32, height=64, x=0, y=0, strength=1.0
    )
    positive, latent = s.story_batch(frames=area)
    ours = s.sample(under(s.ipca(), without_our_numbers(whole)), positive, latent)
    assert relative(ours, s.sample(bias_form(s), positive, latent)) < ROUNDING


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


@pytest.mark.parametrize("sizes", [[3, 3], [1, 5], [2, 4]])
def test_a_pack_that_splits_the_batch_over_devices_inside_the_model(s, sizes, warnings_of):
    unet = s.model.model.diffusion_model
    wanted = {strength: s.sample(bias_form(s, strength=strength)) for strength in (1.0, 3.0)}
    try:
        in_parts(unet, sizes)
        ours = {strength: s.sample(s.ipca(strength=strength)) for strength in wanted}
    finally:
        del unet.forward
    assert all(relative(ours[strength], wanted[strength]) < ROUNDING for strength in wanted)
    assert relative(s.sample(s.ipca()), wanted[1.0]) < ROUNDING and not ipca_lines(warnings_of)


@pytest.mark.parametrize("family", ["flux", "qwen-image", "sd3"])
def test_a_transformer_split_inside_the_model(family, pack, nodes, warnings_of):
    """SD3 runs no wrapper around its forward: there IPCA steps aside, with one line."""
    scene = Scene(family, pack, nodes)
    places = [IDENTITY, (7, 8, 9)]
    wanted, plain = (
        scene.sample(scene.ipca(), scene.frames(places)),
        scene.sample(scene.model, scene.frames(places)),
    )
    try:
        in_parts(scene.model.model.diffusion_model, [1, 3])
        ours = scene.sample(scene.ipca(), scene.frames(places))
    finally:
        del scene.model.model.diffusion_model.forward
    if family == "sd3":
        assert relative(ours, plain) < ROUNDING
        assert any("changed the batch inside the model" in line for line in ipca_lines(warnings_of))
    else:
        assert relative(ours, wanted) < ROUNDING and relative(wanted, plain) > 100 * ROUNDING


@pytest.mark.parametrize("family", ["flux", "qwen-image", "z-image", "sd3"])
@pytest.mark.parametrize("cut", [tiles, halves(1)], ids=["tiles", "halves"])
def test_transformers_under_such_a_pack(family, cut, pack, nodes):
    from bench.toy_transformers import SHAPES

    if family not in SHAPES:
        pytest.skip(f"this ComfyUI has no {family}")
    scene = Scene(family, pack, nodes)
    places = [IDENTITY, (7, 8, 9)]
    whole_story = scene.sample(under(scene.ipca(), cut), scene.frames(places))
    for row in range(len(places)):
        one = one_row(scene, scene.frames(places), row)
        alone = scene.sample(under(scene.ipca(), tiles if cut is tiles else whole), one)
        assert relative(whole_story[row : row + 1], alone) < ROUNDING
    assert (
        relative(whole_story, scene.sample(under(scene.model, cut), scene.frames(places)))
        > 100 * ROUNDING
    )


def one_row(scene, frames, row):
    rows, extra = frames[0]
    key = scene.rows.ROWS_KEY
    more = {name: value[row : row + 1] for name, value in extra.items() if torch.is_tensor(value)}
    return [[rows[row : row + 1], {**extra, **more, key: extra[key][row : row + 1]}]]


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


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_window_over_the_frames_of_a_cast(s, size, warnings_of):
    if not hasattr(WrappersMP, "CALC_COND_BATCH"):
        pytest.skip("this ComfyUI has no wrapper around a step's model calls")
    story = s.prompt("A photo of\n@girl: a girl with red braids\n@dog: a small brown dog", CAST)
    positive, latent = s.story_batch(story=story, frames=s.svr(story))
    wanted = s.sample(s.ipca(story=story), positive, latent)
    assert (
        relative(s.sample(windows(s.ipca(story=story), size), positive, latent), wanted) < ROUNDING
    )
    assert not ipca_lines(warnings_of)


def regional(scene, area):
    [[rows, extra]] = scene.frames([IDENTITY])
    if area:
        return [
            [
                rows,
                {
                    **extra,
                    "area": (scene.side, scene.side // 2, 0, 0),
                    "strength": 1.0,
                    "set_area_to_bounds": False,
                },
            ]
        ]
    mask = torch.zeros(1, 8 * scene.side, 8 * scene.side)
    mask[..., : 4 * scene.side] = 1
    return [[rows, {**extra, "mask": mask, "mask_strength": 1.0, "set_area_to_bounds": False}]]


@pytest.mark.parametrize("family", ["flux", "qwen-image", "z-image"])
@pytest.mark.parametrize("area", [True, False], ids=["area", "mask"])
def test_a_region_on_a_transformer(family, area, pack, nodes):
    """For a region ComfyUI gives the negative one as well, under the positive's name."""
    from bench.toy_transformers import SHAPES

    if family not in SHAPES:
        pytest.skip(f"this ComfyUI has no {family}")
    scene = Scene(family, pack, nodes)
    story = regional(scene, area)
    image = 16 if not area else 8
    reference = scene.biased(image=32 if family == "z-image" else image)
    ours, plain = scene.sample(scene.ipca(), story), scene.sample(scene.model, story)
    assert relative(ours, scene.sample(reference, story)) < ROUNDING
    assert relative(ours, plain) > 100 * ROUNDING


def test_flipped_sigmas_count_in_the_samplers_own_order(s):
    """Flip Sigmas turns a run around: its first step is the one with the smallest sigma."""
    import comfy.samplers

    positive, latent = s.story_batch()
    sigmas = comfy.samplers.calculate_sigmas(
        s.model.get_model_object("model_sampling"), "normal", 4
    ).flip(0)
    sigmas[0] = 0.0001

    def sample(model):
        guider = s.core("CFGGuider", model=model, positive=positive, negative=s.negative, cfg=4.0)
        noise = torch.zeros_like(latent["samples"])
        return guider.sample(
            noise,
            torch.ones_like(noise),
            comfy.samplers.sampler_object("euler"),
            sigmas,
            disable_pbar=True,
            seed=1,
        )

    on = sigmas[2:4].tolist()
    reference = bias_form(
        s, active=lambda sigma: any(abs(sigma - step) < 1e-3 * step for step in on)
    )
    ours, backwards = (
        sample(s.ipca(start_at_step=2, end_at_step=4)),
        sample(s.ipca(start_at_step=0, end_at_step=2)),
    )
    apart = min(relative(ours, other) for other in (backwards, sample(s.ipca()), sample(s.model)))
    assert relative(ours, sample(reference)) < apart / 50, (
        "a run away from the picture magnifies rounding"
    )
