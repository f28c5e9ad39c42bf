"""Property-based tests: a few hundred cases in `make test`, many thousands in `make fuzz`."""

import os

import pytest
from hypothesis import HealthCheck, settings

from bench import inprocess

inprocess.start()

EXAMPLES = int(os.environ.get("FUZZ", "60"))
settings.register_profile(
    "pack",
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES <= 60,
)
settings.load_profile("pack")


@pytest.fixture(scope="session")
def pack():
    return inprocess.load_pack()


@pytest.fixture(scope="session")
def demo(pack):
    """The nodes on the demo model's CLIP and UNet."""
    import nodes
    from bench.studio import Studio

    model, clip, *_ = nodes.NODE_CLASS_MAPPINGS["StoryDemoModel"].execute().args
    return Studio(nodes.NODE_CLASS_MAPPINGS, model, clip)
