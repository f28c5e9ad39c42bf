"""The storyboard's arithmetic, and its letters, on real fonts."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from story_pack.sheet import fonts
from story_pack.sheet.draw import Look, draw_sheet
from story_pack.sheet.text import set_caption, wrap

RED, GREEN, BLUE = (200, 10, 10), (10, 200, 10), (10, 10, 200)


def plain(colour, size=(60, 40)):
    return Image.new("RGB", size, colour)


def pixels(sheet):
    return np.asarray(sheet).astype(int)


def test_pictures_stand_in_rows_with_margins_and_are_not_changed():
    sheet, missing = draw_sheet(
        [plain(RED), plain(GREEN), plain(BLUE)], [], "", Look(columns=2, margin=10, numbers=False)
    )
    assert sheet.size == (2 * 60 + 3 * 10, 2 * 40 + 3 * 10) and missing == ""
    found = pixels(sheet)
    for colour, left, top in [(RED, 10, 10), (GREEN, 80, 10), (BLUE, 10, 60)]:
        assert (found[top : top + 40, left : left + 60] == colour).all()
    coloured = (found != 255).any(-1).sum()
    assert coloured == 3 * 60 * 40, "nothing else is drawn"


@pytest.mark.parametrize("count, columns", [(1, 1), (4, 2), (5, 3), (20, 5)])
def test_columns_are_about_as_many_as_rows_by_themselves(count, columns):
    sheet, _ = draw_sheet([plain(RED)] * count, [], "", Look(margin=0, numbers=False))
    assert sheet.size == (60 * columns, 40 * -(-count // columns))


def test_large_pictures_shrink_and_small_ones_stand_in_the_middle():
    sheet, _ = draw_sheet(
        [plain(RED, (400, 200)), plain(BLUE, (20, 20))],
        [],
        "",
        Look(columns=2, panel_width=100, margin=0, numbers=False),
    )
    assert sheet.size == (200, 50)
    found = pixels(sheet)
    assert (found[:, :100] == RED).all()
    rows, columns = np.nonzero((found == BLUE).all(-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (15, 34, 140, 159)


def test_captions_numbers_and_title_take_room_below_and_above():
    bare = draw_sheet([plain(RED)] * 2, [], "", Look(columns=2, numbers=False))[0]
    told = draw_sheet([plain(RED)] * 2, ["in the snow", "at sea"], "Fox", Look(columns=2))[0]
    assert told.width == bare.width and told.height > bare.height
    found = pixels(told)
    top = np.nonzero((found == RED).all(-1))[0].min()
    assert (found[:top] < 128).all(-1).any(), "the title is above"
    assert (found[top + 40 :, : told.width // 2] < 128).all(-1).any() and (
        found[top + 40 :, told.width // 2 :] < 128
    ).all(-1).any()


def test_a_comic_strip_writes_inside_the_panels():
    sheet, _ = draw_sheet(
        [plain(RED, (200, 120))], ["snow"], "", Look(style="comic strip", margin=0)
    )
    assert sheet.size == (200, 120)
    assert (pixels(sheet)[0] < 30).all(), "the panel has a frame"
    assert (pixels(sheet)[60, 60:140] == RED).all()


@pytest.mark.parametrize(
    "text",
    [
        "at the edge of a village with a river and a mill",
        "Donaudampfschifffahrtsgesellschaftskapitän",
        "雪の中で赤い狐が遊んでいる森の端",
        "a  b",
    ],
)
@pytest.mark.parametrize("width", [40, 90, 400])
def test_lines_fit_and_lose_no_letter(text, width):
    font = ImageFont.load_default(12)
    lines = wrap(text, width, font)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(font.getlength(line) <= width or len(line) == 1 for line in lines)


def test_long_captions_get_smaller_letters():
    short, long = (
        set_caption(text, 200, 20, fonts.Fonts())
        for text in ("snow", "a long walk through the snow " * 4)
    )
    assert short.font.size == 20 and 12 <= long.font.size < 20


def test_a_machine_without_the_letters_names_them(monkeypatch):
    monkeypatch.setattr(fonts, "FOLDERS", ())
    _, missing = fonts.Fonts().letters_for("a 狐 in 雪", 20)
    assert set(missing) == {"狐", "雪"}
    assert draw_sheet([plain(RED)], ["狐"], "", Look())[1] == "狐"


@pytest.fixture
def only_cjk(tmp_path, monkeypatch):
    """A machine whose only font has these characters, not even a space: each is other bars."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def bars(number):
        pen = TTGlyphPen(None)
        for bit in range(6):
            if number >> bit & 1:
                low, high = 140 * bit, 140 * bit + 100
                pen.moveTo((50, low))
                for corner in ((50, high), (950, high), (950, low)):
                    pen.lineTo(corner)
                pen.closePath()
        return pen.glyph()

    names = [".notdef", *(f"uni{ord(character):04X}" for character in CJK)]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap(dict(zip(map(ord, CJK), names[1:])))
    font.setupGlyf({name: bars(63 - place) for place, name in enumerate(names)})
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 50)))
    font.setupHorizontalHeader(ascent=880, descent=-120)
    font.setupPost()
    font.save(tmp_path / "only-cjk.ttf")
    monkeypatch.setattr(fonts, "FOLDERS", (str(tmp_path),))
    return tmp_path / "only-cjk.ttf"


CJK = "在雪地里狐が"


def test_cjk_letters_are_drawn_where_a_font_has_them(only_cjk):
    letters, missing = fonts.Fonts().letters_for("狐が雪", 24)
    (font,) = letters.fonts
    masks = {bytes(font.getmask(character)) for character in "狐が雪"}
    assert missing == "" and font.path == str(only_cjk)
    assert len(masks) == 3, "every character looks different"


def test_latin_beside_a_font_that_lacks_it_is_no_box(only_cjk):
    """Drawn run by run, as Pillow draws each in the font that has it, spaces in the Latin one."""
    text, size = "Fox 在雪地里 2", 24
    letters, missing = fonts.Fonts().letters_for(text, size)
    latin, cjk = ImageFont.load_default(size), ImageFont.truetype(str(only_cjk), size)
    drawn, expected = Image.new("L", (300, 40)), Image.new("L", (300, 40))
    letters.write(ImageDraw.Draw(drawn), 5, 3, text, "white")
    left, above = 5.0, max(font.getmetrics()[0] for font in (latin, cjk))
    for run, font in (("Fox ", latin), ("在雪地里", cjk), (" 2", latin)):
        at = round(left), 3 + above - font.getmetrics()[0]
        ImageDraw.Draw(expected).text(at, run, font=font, fill="white")
        left += font.getlength(run)
    assert missing == "" and np.array_equal(pixels(drawn), pixels(expected))
    spaced, _ = fonts.Fonts().letters_for("雪 雪", size)
    assert [run for run, _ in spaced.runs("雪 雪")] == ["雪", " ", "雪"]


def test_a_sheet_looks_for_fonts_once_and_names_what_none_has(only_cjk, monkeypatch):
    searched = []
    walk = fonts.os.walk
    monkeypatch.setattr(fonts.os, "walk", lambda *given: searched.append(given) or walk(*given))
    captions = ["Fox 在雪地里 2", "雪", "狸 in 雪", "Fox"]
    _, missing = draw_sheet([plain(RED)] * 4, captions, "狐 and friends", Look())
    assert missing == "狸" and len(searched) == 1


class Face:
    """A font with these letters only: each is as wide as the font's size."""

    def __init__(self, letters, size, above=10):
        self.letters, self.size, self.above = letters, size, above

    def getmetrics(self):
        return self.above, 4

    def getlength(self, text):
        return self.size * len(text)


@pytest.fixture
def faces(monkeypatch):
    """A machine with a Latin font, a CJK font without Latin, and one with some of both."""
    made = {"latin": Face("Fox2 ab", 20), "cjk": Face("在雪地里", 20, 15), "some": Face("F在", 20)}
    searched = []
    monkeypatch.setattr(fonts.ImageFont, "load_default", lambda size: made["latin"])
    monkeypatch.setattr(fonts.ImageFont, "truetype", lambda path, size: made[path])
    monkeypatch.setattr(fonts, "_font_files", lambda: searched.append(1) or iter(["cjk", "some"]))
    monkeypatch.setattr(fonts, "_rank", lambda path: ["cjk", "some"].index(path))
    monkeypatch.setattr(fonts, "_has", lambda font, character: character in font.letters)
    return made, searched


def test_each_run_of_characters_has_a_font_that_has_it(faces):
    made, _ = faces
    letters, missing = fonts.Fonts().letters_for("Fox 在雪地里 2", 20)
    assert letters.runs("Fox 在雪地里 2") == [
        ("Fox ", made["latin"]),
        ("在雪地里", made["cjk"]),
        (" 2", made["latin"]),
    ]
    assert missing == "" and letters.getlength("Fox 在") == 100 and letters.metrics == (15, 4)


def test_a_font_that_has_the_whole_text_is_its_only_one(faces):
    made, _ = faces
    for text, face, absent in (
        ("Fox", "latin", ""),
        ("在雪", "cjk", ""),
        ("F在", "some", ""),
        ("F在é", "some", "é"),
        ("é", "latin", "é"),
    ):
        letters, missing = fonts.Fonts().letters_for(text, 20)
        assert letters.fonts == (made[face],) and missing == absent
        assert letters.runs(text) == [(text, made[face])]


def test_what_no_font_has_is_named_and_stays_in_its_run(faces):
    made, _ = faces
    letters, missing = fonts.Fonts().letters_for("Foxé雪é", 20)
    assert missing == "é" and letters.runs("Foxé雪é") == [
        ("Foxé", made["latin"]),
        ("雪é", made["cjk"]),
    ]


def test_a_machine_is_searched_for_fonts_once_per_sheet(faces):
    _, searched = faces
    ours = fonts.Fonts()
    for text in ("Fox 在", "雪", "é", "Fox"):
        ours.letters_for(text, 20), ours.letters_for(text, 30)
    assert len(searched) == 1
    plain = fonts.Fonts()
    assert plain.letters_for("Fox", 20) and len(searched) == 1, (
        "where the first font does nothing is searched"
    )


def test_runs_of_two_fonts_are_drawn_side_by_side(monkeypatch):
    """On real fonts: the first one's right half is hidden from it, so that the second draws it."""
    path = next(map(str, sorted(fonts._font_files(), key=fonts._rank)), None)
    if path is None:
        pytest.skip("no font on this machine")
    plain, other = ImageFont.load_default(20), ImageFont.truetype(path, 20)
    letters = fonts.Letters((plain, other), (frozenset("abc"), frozenset("xyz")))
    sheet = Image.new("L", (200, 40))
    letters.write(ImageDraw.Draw(sheet), 5, 3, "abc xyz", "white")
    expected = Image.new("L", (200, 40))
    above = max(plain.getmetrics()[0], other.getmetrics()[0])
    ImageDraw.Draw(expected).text(
        (5, 3 + above - plain.getmetrics()[0]), "abc ", font=plain, fill="white"
    )
    at = round(5 + plain.getlength("abc ")), 3 + above - other.getmetrics()[0]
    ImageDraw.Draw(expected).text(at, "xyz", font=other, fill="white")
    assert np.array_equal(pixels(sheet), pixels(expected)) and pixels(sheet)[:, at[0] :].any()


def test_a_sheet_beyond_memory_is_refused_with_a_size_that_fits():
    many = [Image.new("1", (4000, 4000))] * 40
    with pytest.raises(ValueError, match="panel_width: the sheet would be"):
        draw_sheet(many, [], "", Look(panel_width=4000))
