"""`make demo`: renders the bundled story through the real server and puts its pictures side by side in output/story.png."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench.inprocess import ROOT  # noqa: E402
from bench.server import Client, PromptFailed, Server, ServerFailed  # noqa: E402
from bench.workflow import load, to_api  # noqa: E402

def side_by_side(images: list[bytes]) -> Image.Image:
    frames = [Image.open(io.BytesIO(image)).convert("RGB") for image in images]
    strip = Image.new("RGB", (sum(frame.width for frame in frames), max(frame.height for frame in frames)))
    left = 0
    for frame in frames:
        strip.paste(frame, (left, 0))
        left += frame.width
    return strip


def main() -> None:
    print("demo: starting ComfyUI", flush=True)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        try:
            images = render(server)
        except (PromptFailed, ValueError) as error:
            sys.exit(f"demo: {error}\nThe end of ComfyUI's log:\n{server.log[-3000:]}")
    path = ROOT / "output" / "story.png"
    path.parent.mkdir(exist_ok=True)
    side_by_side(images).save(path)
    print(f"demo: {path.relative_to(ROOT)}: {len(images)} frames side by side")


def render(server: Server) -> list[bytes]:
    """The story's pictures, in order, with a progress bar."""
    client = Client(server.url)
    with tqdm(total=100, desc="demo", unit="%", bar_format="{l_bar}{bar}| {elapsed}") as bar:
        def progress(node: str, share: float) -> None:
            bar.n = round(100 * share)
            bar.refresh()

        (images,) = client.run(to_api(load("first-story"), client.get("/object_info")), progress).values()
        return images


if __name__ == "__main__":
    try:
        main()
    except ServerFailed as error:
        sys.exit(f"demo: {error}")
