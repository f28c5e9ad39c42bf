"""Where every phrase of a prompt is among the tokens of each of a CLIP's text encoders."""

from ..errors import InputError
from ..story.brackets import left_open
from ..story.marks import shown
from ..story.story import Story
from .clip import Reader
from .layout import Chunks, Layout, PhrasesRunTogether, lay_out
from .prefixes import TemplateLost, lay_out_by_prefixes


class LeftOpen(InputError):
    """A phrase whose parentheses are not balanced, so that the next phrase is read differently than
    on its own.
    """

    def __init__(self, phrase: str, where: str = ""):
        super().__init__(
            "story",
            f"the parentheses in '{shown(phrase)}'{where} are not balanced and swallow the next"
            " phrase",
            "Close every '(' in the same frame or identity, or write '\\(' for a plain parenthesis",
        )
        self.phrase = phrase

    def in_frame_of(self, story: Story) -> "LeftOpen":
        """The same with the frame's number, where it is a frame."""
        known = self.phrase in story.frames
        return LeftOpen(
            self.phrase, f" (frame {story.frames.index(self.phrase) + 1})" if known else ""
        )


def lay_out_prompt(
    reader: Reader, phrases: tuple[str, ...]
) -> tuple[dict[str, Chunks], dict[str, Layout]]:
    """Tokens of the joined phrases, and the layout of every encoder that fills positions, counted
    in its own tokens.

    InputError for a phrase that no encoder reads, for parentheses that run together, and for a text
    that takes the place of an encoder's template.
    """
    tokens = reader.tokenize(" ".join(phrases))
    layouts = {**_tower_layouts(reader, tokens, phrases), **_other_layouts(reader, tokens, phrases)}
    for place, phrase in enumerate(phrases):
        if not any(layout.phrases[place] for layout in layouts.values()):
            raise InputError(
                "story",
                f"'{phrase}' has no token that this CLIP can read",
                "Write words, or check the embedding's name",
            )
    return tokens, {key: layouts[key] for key in reader.encoders}


def _tower_layouts(
    reader: Reader, tokens: dict[str, Chunks], phrases: tuple[str, ...]
) -> dict[str, Layout]:
    """By counting: a CLIP tower reads each phrase separately as it does in the prompt."""
    if not reader.towers:
        return {}
    each = [reader.tokenize(phrase) for phrase in phrases]
    try:
        return {
            tower: lay_out(tokens[tower], [phrase[tower] for phrase in each])
            for tower in reader.towers
        }
    except PhrasesRunTogether as error:
        raise LeftOpen(phrases[left_open(phrases, error.phrase)]) from None


def _other_layouts(
    reader: Reader, tokens: dict[str, Chunks], phrases: tuple[str, ...]
) -> dict[str, Layout]:
    """By the prompt's own beginnings. What two phrases share goes to the later one, and is
    reported.
    """
    if not reader.others:
        return {}
    prefixes = [reader.tokenize(" ".join(phrases[:count])) for count in range(1, len(phrases))]
    layouts = {}
    for key in reader.others:
        own = [prefix[key] for prefix in prefixes]
        try:
            layouts[key], run_together = lay_out_by_prefixes(
                tokens[key], own, reader.empty[key], reader.padding(key)
            )
        except TemplateLost:
            raise InputError(
                "story",
                f"a text takes the place of what {key} expects around a prompt",
                "Leave out template words like <|im_start|>, and embeddings that do not exist",
            ) from None
        for place in run_together:
            phrase = phrases[place]
            if any(bracket in phrase for bracket in "()") and reader.reads_weights(key):
                raise LeftOpen(phrases[left_open(phrases, place)])
            reader.say_once(
                "SVR Reweight: %s reads the end of '%s' together with the next phrase, so it"
                " counts as part of the next",
                key,
                phrase,
            )
    return layouts
