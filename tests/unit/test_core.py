"""Outside ComfyUI, or in one that is too old, the pack says one sentence."""

import subprocess
import sys
from pathlib import Path

from story_pack.core import takes_options

ROOT = Path(__file__).resolve().parents[2]
LOAD = """
import importlib.util, sys
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location(
    "a_pack", folder + "/__init__.py", submodule_search_locations=[folder]
)
module = sys.modules["a_pack"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""


def test_without_comfyui():
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, str(ROOT)], capture_output=True, text=True
    )
    assert done.returncode and done.stderr.count("Traceback") == 1
    assert done.stderr.splitlines()[-1].startswith(
        "ImportError: One Prompt, One Story is a node pack for ComfyUI 0.3.64 or newer: clone it"
        " into"
    )


def test_what_a_core_offers_is_seen_in_its_functions():
    def before(q, k, v, heads, mask=None, attn_precision=None, skip_reshape=False):
        pass

    def since(q, k, v, heads, mask=None, **kwargs):
        pass

    def named(q, k, v, heads, transformer_options=None):
        pass

    assert not takes_options(before) and takes_options(since) and takes_options(named)
