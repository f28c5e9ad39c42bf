"""Thumbnails of the workflows whose own pictures cannot be here, most because they need a
checkpoint: what goes in on the left, the story that comes out on the right. And the pack's icon and
banner: `bench/run -m lab thumbnails`.

All of it is drawn, with the figures of the drawn world: it says what a workflow does, not what a
checkpoint's pictures look like.
"""

from collections.abc import Callable, Iterable
from functools import partial

from PIL import Image, ImageOps

from bench.inprocess import ROOT
from bench.workflow import names
from lab.pictures.card import FINE, INK, PAPER, SOFT, THREAD, Card, Figure, frame
from lab.world.render import NAMES

FOX, CAT = Figure(), Figure("cat", "grey", "blue")
SCENES = ("meadow", "snow", "forest", "beach")
SIDE, GAP = 210, 18  # of a frame
GRID = (440, 120)  # the first of four frames
MIDDLE, HEIGHT = 339, 110  # of the frames; of a box
POSES = (  # arms and legs: ends of the four limbs, in a frame of side 1, from neck and hip
    ((0.2, 0.2), (0.8, 0.2), (0.35, 0.92), (0.65, 0.92)),
    ((0.15, 0.5), (0.85, 0.5), (0.2, 0.88), (0.8, 0.88)),
    ((0.3, 0.68), (0.85, 0.25), (0.4, 0.92), (0.8, 0.8)),
    ((0.2, 0.3), (0.6, 0.7), (0.25, 0.85), (0.55, 0.92)),
)


def story(card: Card, pictures: list[Image.Image], labels: Iterable[str] = "1234") -> Card:
    """The card with the four frames on its right, two per row."""
    step = SIDE + GAP
    for number, (picture, label) in enumerate(zip(pictures, labels)):
        left, top = GRID[0] + number % 2 * step, GRID[1] + number // 2 * step
        card.picture(picture, left, top, SIDE, label)
    return card


def frames_of(figure: Figure) -> list[Image.Image]:
    props = ("scarf", "none", "berries", "ball")
    return [frame(figure, scene=scene, prop=prop) for scene, prop in zip(SCENES, props)]


def boxes(title: str, figure: Figure, *inputs: tuple[str, ...]) -> Card:
    """One box per input, one below the other, and an arrow from each to the frames."""
    card = story(Card(title), frames_of(figure))
    for lines, top in zip(inputs, tops(len(inputs))):
        card.box(40, top, 300, HEIGHT, *lines)
        card.arrow(346, top + HEIGHT / 2, 430, MIDDLE + (top + HEIGHT / 2 - MIDDLE) * 0.35)
    return card


def chain(title: str, pictures: list[Image.Image], *steps: tuple[str, ...]) -> Card:
    """Boxes one after the other; the last leads to the frames."""
    card = story(Card(title), pictures)
    for number, (lines, top) in enumerate(zip(steps, tops(len(steps)))):
        card.box(40, top, 300, HEIGHT, *lines)
        if number:
            card.arrow(190, top - 36, 190, top)
    card.arrow(346, top + HEIGHT / 2, 430, top + HEIGHT / 2)
    return card


def tops(count: int) -> list[int]:
    """Where boxes begin that are around the frames' middle, one below the other."""
    step = HEIGHT + 36
    return [round(MIDDLE + step * (number - count / 2)) + 18 for number in range(count)]


def in_parts(title: str, figure: Figure) -> Card:
    return boxes(title, figure, ("diffusion model",), ("text encoder",), ("VAE",))


def after_a_lora() -> Card:
    pictures = [
        ImageOps.colorize(ImageOps.grayscale(each), "#2d1b4e", "#ffe9c9", "#d0587e")
        for each in frames_of(Figure("cat", "grey", "red"))
    ]
    return chain("Your LoRA's style", pictures, ("SDXL", "checkpoint"), ("LoRA",))


def after_ipca() -> Card:
    pictures = frames_of(Figure("wizard", "blue", "purple"))
    return chain("FreeU after IPCA Patch", pictures, ("IPCA Patch",), ("FreeU",))


def with_poses() -> Card:
    card, side = Card("One pose per frame"), 196
    for number, (limbs, scene) in enumerate(zip(POSES, SCENES)):
        left = 40 + number * (side + 12)
        card.stick(limbs, left, 120, side)
        card.arrow(left + side / 2, 322, left + side / 2, 362)
        card.picture(frame(scene=scene), left, 368, side)
        card.stick(limbs, left, 368, side, puppet=True)
        card.tag(str(number + 1), left, 368)
    return card


def as_a_film() -> Card:
    card, side = Card("A film, and files named by frame"), 190
    card.draw.rectangle([0, 130 * FINE, 900 * FINE, 440 * FINE], INK)
    for hole in range(18):
        for top in (142, 404):
            corner = [(12 + hole * 50) * FINE, top * FINE]
            card.draw.rounded_rectangle(
                [*corner, corner[0] + 28 * FINE, corner[1] + 24 * FINE], 6 * FINE, PAPER
            )
    for number, picture in enumerate(frames_of(FOX)):
        left = 40 + number * 210
        card.picture(picture, left, 190, side)
        card.text(left + 12, 470, f"frame-00{number + 1}", 28)
    return card


def in_shares() -> Card:
    card, side = Card("A long story, part by part"), 116
    story_so_far = [frame(FOX, scene=scene) for scene in NAMES["scene"]]
    for part in range(3):
        top = 126 + part * 146
        card.text(40, top + 36, f"part {part + 1}", 36)
        for number in range(4):
            at = part * 4 + number
            if at < len(story_so_far):
                card.picture(story_so_far[at], 190 + number * 136, top, side, str(at + 1))
        card.text(756, top + 40, "saved" if part < 2 else "next", 30, SOFT)
    return card


def from_a_picture(title: str, figure: Figure) -> Card:
    card = story(Card(title), frames_of(figure))
    card.picture(frame(figure, scene="library"), 60, 210, 250, "your picture")
    card.arrow(320, GRID[1] + SIDE, 430, GRID[1] + SIDE)
    return card


def of_a_cast(title: str, pictured: bool) -> Card:
    """Each frame has who is in it; with `pictured`, the cast comes as pictures, else as lines."""
    who, names_in = ((FOX,), (CAT,), (FOX, CAT), ()), ("@fox", "@cat", "@fox @cat", "nobody")
    pictures = [frame(*cast, scene=scene) for cast, scene in zip(who, SCENES)]
    card = story(Card(title), pictures, names_in)
    for number, (figure, name) in enumerate(zip((FOX, CAT), names_in)):
        top = 130 + number * 220
        if pictured:
            card.picture(frame(figure, scene="library"), 70, top, 190, name)
        else:
            look = f"a {figure.body} {figure.kind}, a {figure.coat} coat"
            card.box(40, top + 30, 300, 120, name, look)
        left = 270 if pictured else 350
        card.arrow(left, top + 95, 430, GRID[1] + SIDE + (number - 0.5) * 80)
    return card


def hero_first() -> Card:
    card, figure = Card("Frame 1 first, the others like it"), Figure("dragon", "purple", "yellow")
    pictures = frames_of(figure)
    card.picture(pictures[0], 60, 140, 400, "1")
    for number, picture in enumerate(pictures[1:]):
        top = 120 + number * 154
        card.picture(picture, 690, top, 142, str(number + 2))
        card.arrow(472, 340, 678, top + 71)
    return card


CARDS: dict[str, Callable[[], Card]] = {
    "sdxl-story": partial(boxes, "Your SDXL checkpoint", CAT, ("SDXL", "checkpoint")),
    "sd15-story": partial(
        boxes, "Your SD 1.5 checkpoint", Figure("rabbit", "white", "red"), ("SD 1.5", "checkpoint")
    ),
    "two-characters": partial(of_a_cast, "Two characters", pictured=False),
    "sdxl-lora-story": after_a_lora,
    "sdxl-controlnet-poses": with_poses,
    "sdxl-freeu": after_ipca,
    "qwen-image-story": partial(in_parts, "Qwen-Image", Figure("dragon", "green", "yellow")),
    "qwen-image-21-story": partial(
        in_parts, "Qwen-Image 2.1", Figure("wizard", "green", "red", "spotted")
    ),
    "z-image-story": partial(in_parts, "Z-Image", Figure("bird", "blue", "red")),
    "krea2-story": partial(in_parts, "Krea 2", Figure("cat", "purple", "yellow")),
    "anima-story": partial(in_parts, "Anima", Figure("wizard", "blue", "white")),
    "flux2-story": partial(in_parts, "Flux.2", Figure("rabbit", "grey", "purple", "striped")),
    "from-a-picture": partial(
        from_a_picture, "From a picture: Flux.2", Figure("cat", "white", "green", "spotted")
    ),
    "from-a-picture-qwen": partial(
        from_a_picture, "From a picture: Qwen", Figure("bird", "yellow", "blue", "striped")
    ),
    "cast-from-pictures": partial(of_a_cast, "A cast from pictures", pictured=True),
    "hero-first": hero_first,
    "first-story-simple": partial(
        boxes, "The whole story in one node", FOX, ("One Prompt,", "One Story")
    ),
    "story-film": as_a_film,
    "long-story-in-parts": in_shares,
}


def icon() -> Image.Image:
    """400x400: one thread through four frames with one fox."""
    card = Card("", (400, 400), INK)
    for number, picture in enumerate(frames_of(FOX)):
        card.picture(picture, 24 + number % 2 * 184, 24 + number // 2 * 184, 168)
    around = [place * FINE for place in (12, 12, 388, 388)]
    card.draw.rounded_rectangle(around, 18 * FINE, outline=THREAD, width=8 * FINE)
    return card.done()


def banner() -> Image.Image:
    """1680x720, 21:9."""
    card = Card("", (1680, 720), INK)
    card.text(90, 84, "One Prompt, One Story", 104, "#ffffff")
    card.text(94, 224, "One character through a whole series of pictures", 46, "#c9d3db")
    thread = [place * FINE for place in (0, 498, 1680, 498)]
    card.draw.line(thread, THREAD, 10 * FINE)
    for number, picture in enumerate(frames_of(FOX)):
        card.picture(picture, 90 + number * 396, 342, 312)
    return card.done()


def main() -> None:
    for name in set(CARDS) & set(names()):
        CARDS[name]().done().save(ROOT / "workflows" / f"{name}.jpg", quality=88, optimize=True)
    icon().save(ROOT / "docs/icon.png", optimize=True)
    banner().save(ROOT / "docs/banner.png", optimize=True)


if __name__ == "__main__":
    main()
