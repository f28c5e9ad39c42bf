"""`make demo`: renders the bundled story through the real server and writes its storyboard to
output/story.png.
"""

import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from bench.inprocess import ROOT
from bench.server import Client, PromptFailed, Server, ServerFailed
from bench.workflow import load, saved, to_api


def main() -> None:
    print("demo: starting ComfyUI", flush=True)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        try:
            storyboard = render(server)
        except (PromptFailed, ValueError) as error:
            sys.exit(f"demo: {error}\nThe end of ComfyUI's log:\n{server.log[-3000:]}")
    path = ROOT / "output" / "story.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(storyboard)
    print(f"demo: {path.relative_to(ROOT)}")


def render(server: Server) -> bytes:
    """The storyboard as a PNG file, with a progress bar on the way."""
    client = Client(server.url)
    with tqdm(total=100, desc="demo", unit="%", bar_format="{l_bar}{bar}| {elapsed}") as bar:

        def progress(node: str, share: float) -> None:
            bar.n = round(100 * share)
            bar.refresh()

        prompt = to_api(load("first-story"), client.get("/object_info"))
        (storyboard,) = saved(prompt, client.run(prompt, progress), "story/storyboard")
        return storyboard


if __name__ == "__main__":
    try:
        main()
    except ServerFailed as error:
        sys.exit(f"demo: {error}")
