"""SVR Reweight asks a CLIP's tokenizer for each text once, however many frames and windows there
are.
"""

from collections import Counter

import pytest

from bench.studio import Studio
from bench.toy_encoders import toy_encoder
from bench.toy_models import toy_clip

SCENES = [
    f"{what} {where}"
    for what in ("playing", "asleep", "reading", "running")
    for where in ("at sea", "in snow", "in a wood", "by a mill", "at home")
]


class Counted:
    """A CLIP that notes what it tokenises."""

    def __init__(self, clip):
        self.clip, self.texts = clip, Counter()

    def __getattr__(self, name):
        return getattr(self.clip, name)

    def tokenize(self, text, *args, **kwargs):
        self.texts[text] += 1
        return self.clip.tokenize(text, *args, **kwargs)


@pytest.fixture
def asked(nodes):
    def of(clip, identity, window_length):
        counted = Counted(clip)
        s = Studio(nodes, None, clip)
        s.call("SVRReweight", clip=counted, story=s.prompt(identity, SCENES, window_length))
        return counted.texts

    return of


@pytest.mark.parametrize(
    "identity", ["A photo of a red fox", "A photo of\n@fox: a red fox\n@cat: a cat"]
)
def test_a_tower_reads_each_text_once(asked, identity):
    """The identity's phrases, the frames, the prompts of the windows, and little else."""
    texts = asked(toy_clip("sdxl"), identity, 10)
    assert set(texts.values()) == {1}
    phrases, windows = identity.count("@") + 1, len(SCENES)
    assert len(texts) <= phrases + 1 + len(SCENES) + windows + 1


@pytest.mark.parametrize("kind", ["qwen-image", "flux", "sd3"])
def test_another_encoder_reads_each_text_once(asked, kind):
    """Besides these, every beginning of every prompt: its phrases' tokens depend on what is before
    them.
    """
    texts = asked(toy_encoder(kind), "A photo of\n@fox: a red fox\n@cat: a cat", 4)
    assert set(texts.values()) == {1}
