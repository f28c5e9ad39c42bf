"""Numbers as people write them before the items of a list: 1, １, 一, IV, ①, 1️⃣."""

DIGITS = "[0-9０-９]{1,3}"
CHINESE = "[一二三四五六七八九十]{1,3}"
ROMAN = "[IVX]{1,7}"
# Single characters that are numbers: the first of a run, its number, and how many follow.
RUNS = (
    (0x2460, 1, 20),  # ①
    (0x3251, 21, 15),  # ㉑
    (0x32B1, 36, 15),  # ㊱
    (0x2776, 1, 10),  # ❶
    (0x24EB, 11, 10),  # ⓫
    (0x2780, 1, 10),  # ➀
    (0x278A, 1, 10),  # ➊
    (0x2474, 1, 20),  # ⑴
    (0x2488, 1, 20),  # ⒈
    (0x2160, 1, 12),  # Ⅰ
)
KEYCAP_TEN = "\U0001f51f"
SINGLE = (
    "["
    + "".join(f"{chr(first)}-{chr(first + count - 1)}" for first, _, count in RUNS)
    + rf"]|[0-9]\ufe0f?\u20e3|{KEYCAP_TEN}"
)
WORDS = (
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)

_UNITS = "一二三四五六七八九"
_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_CIRCLED = {0x2460, 0x3251, 0x32B1}, {0x2776, 0x24EB}  # runs that go on with one another


def value_of(text: str) -> int | None:
    """The number that a numeral means, or None if it is not a numeral: `十一` 11, `IV` 4, `IIII`
    none.
    """
    if text[0] in "0123456789０１２３４５６７８９":
        return int(text.rstrip("\ufe0f\u20e3"))
    if text == KEYCAP_TEN:
        return 10
    if text.lower() in WORDS:
        return WORDS.index(text.lower()) + 1
    if set(text) <= set("IVX"):
        return next(
            (value for value in range(1, 40) if "X" * (value // 10) + _ROMAN[value % 10] == text),
            None,
        )
    if set(text) <= set(_UNITS + "十"):
        return next((value for value in range(1, 100) if _chinese(value) == text), None)
    return next(
        (
            number + ord(text) - first
            for first, number, count in RUNS
            if first <= ord(text) < first + count
        ),
        None,
    )


def family_of(text: str) -> str:
    """What numerals of one list have in common: digits, Chinese, Roman, keycaps, or a run of single
    characters.
    """
    if "\u20e3" in text or text == KEYCAP_TEN:
        return "keycap"
    if text[0] in "0123456789":
        return "digits"
    if text[0] in "０１２３４５６７８９":
        return "wide digits"
    if text.lower() in WORDS:
        return "words"
    if set(text) <= set("IVX"):
        return "Roman"
    if set(text) <= set(_UNITS + "十"):
        return "Chinese"
    run = next(first for first, _, count in RUNS if first <= ord(text) < first + count)
    return next((f"run {min(runs)}" for runs in _CIRCLED if run in runs), f"run {run}")


def _chinese(value: int) -> str:
    tens, units = divmod(value, 10)
    return (
        ("" if tens < 2 else _UNITS[tens - 1])
        + ("十" if tens else "")
        + (_UNITS[units - 1] if units else "")
    )
