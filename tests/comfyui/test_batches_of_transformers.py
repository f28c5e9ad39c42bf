"""Other packs between the sampler and a transformer: rows keep their own identity, however the
batch is cut or stacked, and so do regions.

The independent forms are each row sampled alone, the whole batch, and IPCA as a bias on the keys.
"""

import pytest
import torch

from bench.batch_packs import halves, in_parts, ipca_lines, tiles, under, whole
from bench.joint_scene import IDENTITY, Scene
from bench.studio import relative

ROUNDING = 1e-4


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
