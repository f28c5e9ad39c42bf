"""The drawings in help pages: which machine does what with a story of seven frames, and which frame
sees whose picture.
"""

from PIL import Image, ImageDraw, ImageFont

SIZE, FINE = (1000, 400), 2  # drawn larger and scaled down, for smooth edges
INK, PAPER, LINE = "#202428", "#ffffff", "#8a929a"
MACHINES = {
    "master": ("#dfeaf8", "#3b76c4", (1, 2)),
    "worker 1": ("#e2f2df", "#4b9a3e", (3, 4)),
    "worker 2": ("#fbeadb", "#d9822b", (5, 6, 7)),
}


def who_does_what() -> Image.Image:
    """Three lanes that run into one: share, render, slate; then collect and gather on the
    master.
    """
    sheet = Image.new("RGB", (SIZE[0] * FINE, SIZE[1] * FINE), PAPER)
    pen = _Pen(ImageDraw.Draw(sheet))
    for row, (name, (fill, colour, frames)) in enumerate(MACHINES.items()):
        top = 24 + row * 126
        pen.box(16, top, 470, 108, fill, colour)
        pen.text(30, top + 8, name, 17, colour)
        pen.box(30, top + 38, 118, 54, PAPER, colour)
        pen.text(38, top + 44, "Story Batch", 15)
        pen.text(38, top + 66, f"its share: {frames[0]}-{frames[-1]}", 14, LINE)
        pen.arrow(148, top + 65, 166)
        pen.box(168, top + 38, 96, 54, PAPER, colour)
        pen.text(176, top + 44, "KSampler", 15)
        pen.text(176, top + 66, "VAE Decode", 14, LINE)
        pen.arrow(264, top + 65, 282)
        pen.box(284, top + 38, 192, 54, PAPER, colour)
        pen.text(292, top + 44, "Story", 15)
        pen.text(292, top + 64, "Slate", 15)
        for place, frame in enumerate(frames):
            pen.picture(344 + place * 44, top + 44, colour, frame, slate=True)
        pen.arrow(486, top + 65, 526)
    _, colour, _ = MACHINES["master"]
    pen.box(510, 24, 474, 360, None, colour)
    pen.text(524, 32, "master", 17, colour)
    pen.box(528, 62, 110, 306, "#f4f5f6", LINE)
    pen.text(538, 72, "Distributed", 15)
    pen.text(538, 92, "Collector", 15)
    for place, (frame, owner) in enumerate(
        (
            (1, "master"),
            (2, "master"),
            (5, "worker 2"),
            (3, "worker 1"),
            (6, "worker 2"),
            (4, "worker 1"),
        )
    ):
        pen.picture(
            546 + place % 2 * 44, 128 + place // 2 * 54, MACHINES[owner][1], frame, slate=True
        )
    pen.arrow(638, 215, 656)
    pen.box(658, 62, 120, 306, "#f4f5f6", INK)
    pen.text(670, 72, "Story Gather", 15)
    for line, text in enumerate(
        (
            "takes the",
            "slates off,",
            "puts all in",
            "order, drops",
            "doubles,",
            "names what",
            "is missing",
        )
    ):
        pen.text(670, 112 + line * 24, text, 15, LINE)
    pen.text(670, 312, "missing: 7", 16, "#c03030")
    for top, height, title in ((62, 146, "Save Image"), (222, 146, "Story Sheet")):
        pen.arrow(778, top + height // 2, 796)
        pen.box(798, top, 172, height, "#f4f5f6", LINE)
        pen.text(810, top + 8, title, 15)
    owners = [
        next(colour for _, colour, frames in MACHINES.values() if frame in frames)
        for frame in range(1, 7)
    ]
    for top in (98, 258):
        for place, owner in enumerate(owners):
            pen.picture(818 + place % 3 * 48, top + place // 3 * 52, owner, place + 1, slate=False)
    return sheet.resize(SIZE, Image.Resampling.LANCZOS)


CAST = {"girl": ("#fbeadb", "#d9822b"), "dog": ("#dfeaf8", "#3b76c4")}
SCENES = {
    "@girl feeding ducks": ("girl",),
    "@dog at the pond": ("dog",),
    "@girl and @dog in the snow": ("girl", "dog"),
    "the street at night @nobody": (),
}


def who_sees_what() -> Image.Image:
    """Two Story References on the left, four frames on the right, each with the pictures of who is
    in it.
    """
    sheet = Image.new("RGB", (SIZE[0] * FINE, 330 * FINE), PAPER)
    pen = _Pen(ImageDraw.Draw(sheet))
    for row, (name, (fill, colour)) in enumerate(CAST.items()):
        top = 28 + row * 140
        pen.box(16, top, 250, 120, fill, colour)
        pen.text(30, top + 10, "Story Reference", 17, colour)
        pen.text(30, top + 42, f"character: {name}", 15)
        pen.portrait(180, top + 40, name, 68)
        for scene, cast in enumerate(SCENES.values()):
            if name in cast:
                pen.line(266, top + 60, 470, 52 + scene * 76, colour)
    for scene, (words, cast) in enumerate(SCENES.items()):
        top = 20 + scene * 76
        pen.box(472, top, 510, 64, "#f4f5f6", LINE)
        pen.text(488, top + 20, f"{scene + 1}", 19, LINE)
        pen.text(516, top + 21, words, 17)
        pen.text(760, top + 22, "sees" if cast else "sees nobody", 15, LINE)
        for place, name in enumerate(cast):
            pen.portrait(812 + place * 64, top + 6, name, 52)
    return sheet.resize((SIZE[0], 330), Image.Resampling.LANCZOS)


class _Pen:
    """Shapes in the drawing's own pixels."""

    def __init__(self, draw: ImageDraw.ImageDraw):
        self.draw = draw

    def box(
        self, left: int, top: int, width: int, height: int, fill: str | None, line: str
    ) -> None:
        corners = [left * FINE, top * FINE, (left + width) * FINE, (top + height) * FINE]
        self.draw.rounded_rectangle(corners, 8 * FINE, fill=fill, outline=line, width=2 * FINE)

    def text(self, left: int, top: int, text: str, size: int, ink: str = INK) -> None:
        self.draw.text(
            (left * FINE, top * FINE), text, font=ImageFont.load_default(size * FINE), fill=ink
        )

    def line(self, left: int, top: int, right: int, bottom: int, ink: str) -> None:
        self.draw.line(
            [left * FINE, top * FINE, right * FINE, bottom * FINE], fill=ink, width=2 * FINE
        )

    def portrait(self, left: int, top: int, name: str, side: int) -> None:
        """A picture of one of the cast: a head in her colour, with braids or with ears."""
        fill, colour = CAST[name]
        self.draw.rectangle(
            [left * FINE, top * FINE, (left + side) * FINE, (top + side) * FINE],
            fill=PAPER,
            outline=colour,
            width=2 * FINE,
        )

        def oval(x: float, y: float, width: float, height: float, ink: str) -> None:
            box = [
                left + x * side,
                top + y * side,
                left + (x + width) * side,
                top + (y + height) * side,
            ]
            self.draw.ellipse([round(edge * FINE) for edge in box], fill=ink)

        if name == "girl":
            oval(0.14, 0.34, 0.2, 0.56, colour)
            oval(0.66, 0.34, 0.2, 0.56, colour)
        else:
            oval(0.1, 0.16, 0.3, 0.3, colour)
            oval(0.6, 0.16, 0.3, 0.3, colour)
        oval(0.22, 0.2, 0.56, 0.6, colour)
        oval(0.3, 0.32, 0.4, 0.44, fill)
        oval(0.37, 0.46, 0.07, 0.08, INK)
        oval(0.56, 0.46, 0.07, 0.08, INK)

    def arrow(self, left: int, middle: int, right: int) -> None:
        self.draw.line(
            [left * FINE, middle * FINE, (right - 6) * FINE, middle * FINE],
            fill=INK,
            width=2 * FINE,
        )
        tip = [(right, middle), (right - 9, middle - 5), (right - 9, middle + 5)]
        self.draw.polygon([(x * FINE, y * FINE) for x, y in tip], fill=INK)

    def picture(self, left: int, top: int, colour: str, number: int, slate: bool) -> None:
        """A frame: a square with its number, under a barcode of a slate or without one."""
        side = 34
        self.draw.rectangle(
            [left * FINE, (top + 8) * FINE, (left + side) * FINE, (top + 8 + side) * FINE],
            fill=colour,
        )
        self.text(left + 12, top + 14, str(number), 19, PAPER)
        if slate:
            self.draw.rectangle(
                [left * FINE, top * FINE, (left + side) * FINE, (top + 7) * FINE], fill=PAPER
            )
            for bar in range(0, side, 4):
                if (bar * 7 + number * 5) % 3:
                    self.draw.rectangle(
                        [
                            (left + bar) * FINE,
                            top * FINE,
                            (left + bar + 2) * FINE,
                            (top + 6) * FINE,
                        ],
                        fill=INK,
                    )
