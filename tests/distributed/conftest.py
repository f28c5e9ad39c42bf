"""A master and two workers with the real ComfyUI-Distributed, started once for all tests of this folder."""

import os

import pytest


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    from bench.cluster import Cluster, engine_path

    if engine_path() is None:
        why = "ComfyUI-Distributed is not there: DISTRIBUTED_PATH names it"
        pytest.fail(f"{why}, and CI must run these tests") if os.environ.get("CI") else pytest.skip(why)
    with Cluster(tmp_path_factory.mktemp("cluster"), workers=2) as cluster:
        yield cluster


@pytest.fixture
def cluster(running):
    """All machines up, whatever the test before did to them."""
    running.revive()
    return running
