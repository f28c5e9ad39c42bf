"""A master and two workers with the real ComfyUI-Distributed, started once for all tests of this
folder.
"""

import pytest


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    from bench.cluster import Cluster, engine_path

    if engine_path() is None:
        pytest.skip("DISTRIBUTED_PATH names no checkout of ComfyUI-Distributed")
    with Cluster(tmp_path_factory.mktemp("cluster"), workers=2) as cluster:
        yield cluster


@pytest.fixture
def cluster(running):
    """All machines up, whatever the test before did to them."""
    running.revive()
    return running
