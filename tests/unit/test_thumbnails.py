"""Thumbnails: a picture for every workflow; drawn where the bundled model cannot serve it, and as
the code draws it.
"""

import numpy as np
import pytest
from PIL import Image

from bench.inprocess import ROOT
from bench.workflow import names, runs_on_the_demo_model
from lab.pictures import thumbnails

DRAWN = sorted(set(thumbnails.CARDS) & set(names()))


def test_every_workflow_that_needs_a_checkpoint_has_a_drawing():
    assert {name for name in names() if not runs_on_the_demo_model(name)} <= set(DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawn_thumbnail_is_what_the_code_draws(name):
    """Up to JPEG and the smoothing of letters."""
    with Image.open(ROOT / "workflows" / f"{name}.jpg") as kept:
        shipped = np.asarray(kept.convert("RGB")).astype(int)
    drawn = np.asarray(thumbnails.CARDS[name]().done()).astype(int)
    assert shipped.shape == drawn.shape and np.abs(shipped - drawn).mean() < 4


def test_icon_and_banner_have_the_registrys_shapes():
    with Image.open(ROOT / "docs/icon.png") as icon, Image.open(ROOT / "docs/banner.png") as banner:
        assert icon.width == icon.height <= 400
        assert banner.width * 9 == banner.height * 21
