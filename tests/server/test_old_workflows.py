"""Workflows as version 0.1.0 saved them: artists have them, so they load and give the pictures that they gave then.

The pictures beside them were rendered by version 0.1.0, one latent pixel a pixel, the frames side by side.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.workflow import saved_pixels, to_api

SAVED = Path(__file__).resolve().parents[1] / "data" / "0.1.0"
OTHER_MACHINES = 4  # another CPU rounds otherwise: 8-bit steps


@pytest.mark.parametrize("name", sorted(path.stem for path in SAVED.glob("*.json")))
def test_a_workflow_of_0_1_0_gives_the_same_pictures(client, name):
    workflow = json.loads((SAVED / f"{name}.json").read_text(encoding="utf-8"))
    prompt = to_api(workflow, client.get("/object_info"))
    ours = np.concatenate([picture[::8, ::8] for picture in saved_pixels(prompt, client.run(prompt))], axis=1)
    then = np.asarray(Image.open(SAVED / f"{name}.png")).astype(int)
    assert ours.shape == then.shape and np.abs(ours - then).max() <= OTHER_MACHINES
