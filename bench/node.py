"""Node.js, for the page's readers that need no page: `node --test`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests/vectors/vectors.test.mjs"


def run_node_tests(only: str = "", **environment: str) -> None:
    """Run the JavaScript tests (those whose name has `only` in it); fails with their output.
    Skipped where there is no Node.
    """
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Node, and CI must run the page's readers")
        pytest.skip("there is no Node: install nodejs to run the page's readers")
    chosen = [f"--test-name-pattern={only}"] if only else []
    command = [node, "--test", "--test-reporter=tap", *chosen, str(TESTS)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, _failures(done.stdout) + done.stderr


def _failures(output: str) -> str:
    blocks = output.split("\nnot ok ")[1:]
    return (
        "\n".join("not ok " + block.split("\nok ")[0][:2000] for block in blocks) or output[-3000:]
    )
