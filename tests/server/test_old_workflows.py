"""Workflows as earlier versions saved them: artists have them, so they load and give the pictures
that that version gives.

The pictures beside them were rendered by that version's own code with today's demo model, one
latent pixel a pixel, the frames side by side. Where the demo model is trained further, that version
renders them again.
"""

import numpy as np
import pytest
from PIL import Image

from bench.workflow import OLD, old_workflows, saved_pixels, to_api

OTHER_MACHINES = 4  # another CPU rounds otherwise: 8-bit steps


@pytest.mark.parametrize("name", old_workflows())
def test_an_old_workflow_gives_the_same_pictures(client, name):
    prompt = to_api(old_workflows()[name], client.info)
    ours = np.concatenate(
        [picture[::8, ::8] for picture in saved_pixels(prompt, client.run(prompt))], axis=1
    )
    then = np.asarray(Image.open(OLD / f"{name}.png")).astype(int)
    assert ours.shape == then.shape and np.abs(ours - then).max() <= OTHER_MACHINES
