"""What the tests share: the mathematics without ComfyUI, and one real ComfyUI server for the
session.
"""

import os
import re
import sys
import types
from pathlib import Path

import pytest

# Lets parts of the pack be imported without ComfyUI, as `story_pack.svr` and so on: its own
# __init__ needs ComfyUI.
package = types.ModuleType("story_pack")
package.__path__ = [str(Path(__file__).resolve().parents[1])]
sys.modules["story_pack"] = package


ROOMS = ["page", "distributed", "server", "comfyui", "fuzz", "unit"]  # the slowest first


def pytest_xdist_auto_num_workers(config):
    """One worker more than there are cores: a worker that waits for the page or for a server uses
    none.
    """
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What takes long comes first, or one worker would be left with it at the end."""
    items.sort(key=lambda item: ROOMS.index(item.path.parent.name))


def pytest_xdist_make_scheduler(config, log):
    """Deals the tests out to the workers in groups, so that none makes again what a neighbour has.

    (--dist=loadgroup asks for the same by markers, which pytest-xdist 3.8 loses under pytest 9.2:
    it writes them into the tests' names.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class InGroups(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    return InGroups(config, log)


def group_of(nodeid: str) -> str:
    """The page's tests by the page's server, all of the shared server's, the others file by
    file.
    """
    file, _, test = nodeid.partition("::")
    if page := re.search(r"\b(own|newest), (classic|nodes 2\.0)", test):
        return f"page {page[1]}"
    shared = Path(file).parent.name == "server" and Path(file).name != "test_long_story.py"
    return "server" if shared else file


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with prepared_server(tmp_path_factory.mktemp("comfyui")) as running:
        yield running


@pytest.fixture(scope="session")
def fresh_server():
    """`with fresh_server(folder) as server:` one of its own, for tests that kill it or look at what
    it needs.
    """
    return prepared_server


@pytest.fixture(scope="session")
def newest_page_server(tmp_path_factory):
    """The same ComfyUI with the newest page instead of its own."""
    page = Path(__file__).resolve().parents[1] / ".bench/frontend/comfyui_frontend_package/static"
    with prepared_server(
        tmp_path_factory.mktemp("newest-page"), "--front-end-root", str(page)
    ) as running:
        yield running


def prepared_server(folder: Path, *options: str):
    from bench.page import page_server

    return page_server(folder, *placeholders(folder), *options)


def placeholders(folder: Path) -> list[str]:
    """Server options for empty files under every name that a bundled workflow loads, so that the
    server can validate it.
    """
    from PIL import Image

    from bench.workflow import wanted_files

    for kind, name in wanted_files():
        picture = kind in ("input", "output")
        file = folder / (kind if picture else f"models/{kind}") / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if picture:  # a film of four, where one picture is read it is the first
            film = [
                Image.new("RGB", (64, 64), colour) for colour in ("navy", "teal", "olive", "maroon")
            ]
            film[0].save(file, save_all=True, append_images=film[1:])
        else:
            file.touch()
    config = folder / "models.yaml"
    kinds = sorted({kind for kind, _ in wanted_files()} - {"input", "output"})
    config.write_text(
        f"placeholders:\n  base_path: {folder}/models\n"
        + "".join(f"  {kind}: {kind}\n" for kind in kinds)
    )
    return ["--extra-model-paths-config", str(config), "--input-directory", str(folder / "input")]


@pytest.fixture(scope="session")
def client(server):
    from bench.server import Client

    return Client(server.url)


@pytest.fixture(scope="session")
def story_prompt(client):
    """The bundled workflow as an API prompt, on the small random-weight model and at a small
    size.
    """
    from bench.workflow import load, substitute, to_api, with_inputs

    prompt = substitute(
        to_api(load("sdxl-story"), client.info),
        "CheckpointLoaderSimple",
        "ToyCheckpoint",
        {"shape": "sdxl"},
    )
    return with_inputs(
        with_inputs(prompt, "StoryBatch", width=128, height=128), "KSampler", steps=3
    )


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium. Without one the page tests are skipped, but never in CI."""
    from bench.page import chromium, chromium_path

    if chromium_path() is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium, and CI must run the page tests")
        pytest.skip("there is no Chromium: install it to run the page tests")
    with chromium() as running:
        yield running
