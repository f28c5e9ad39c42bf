"""Adding one of the cast to a frame's text, as the chips of the frame editor do."""

from .names import in_name, key_of, mentions_in

Words = list[tuple[int, int]]  # where each word begins and ends


def mention(text: str, names: list[str]) -> str:
    """The text with every name mentioned: a plain word becomes the mention, else the mention goes
    to the front.
    """
    for name in reversed(names):
        if key_of(name) in map(key_of, mentions_in(text)):
            continue
        place = _plain_word(text, name)
        if place is not None:
            start, end = place
            text = f"{text[:start]}@{text[start:end].replace(' ', '_')}{text[end:]}"
        else:
            text = f"@{name}{', ' if text.startswith('@') else ' ' if text else ''}{text}"
    return text


def _plain_word(text: str, name: str) -> tuple[int, int] | None:
    """Where the name is written as plain words, `_` as a space: the first place that begins and
    ends with a word.
    """
    parts = [part for part in name.split("_") if part]
    words = _words(text)
    for first in range(len(words) - len(parts) + 1):
        run = words[first : first + len(parts)]
        start, end = run[0][0], run[-1][1]
        together = all(text[left[1] : right[0]] in (" ", "_") for left, right in zip(run, run[1:]))
        if (
            together
            and not text[max(0, start - 1) : start].endswith(("@", "_", "\\"))
            and text[end : end + 1] != "_"
        ):
            if [key_of(text[a:b]) for a, b in run] == [key_of(part) for part in parts]:
                return start, end
    return None


def _words(text: str) -> Words:
    """Runs of letters, marks and digits; `_` separates them."""
    words: Words = []
    start = None
    for at, char in enumerate(text + " "):
        inside = char != "_" and in_name(char)
        if inside and start is None:
            start = at
        elif not inside and start is not None:
            words.append((start, at))
            start = None
    return words
