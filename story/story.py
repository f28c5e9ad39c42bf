"""A story as text: one identity, N frames, and the window of frames that shares a prompt.

One-Prompt-One-Story, Liu et al., ICLR 2025 (arXiv 2501.13554): P0 is the identity prompt, P1..PN
are the frames.
"""

from dataclasses import dataclass, replace

from ..errors import InputError
from ..log import logger
from .cast import Character, read_frame, read_identity
from .lists import SWITCHED_OFF, Listing, read_frames
from .marks import shown, stripped
from .references import Reference

MAX_WINDOW = 64


@dataclass(frozen=True)
class Story:
    """What the STORY socket carries. `frames` are the frame prompts in order, counted from 0 here
    and from 1 on screen.

    `identity_phrases` is only the identity, or with a cast the common text, if any, and one phrase
    per character. `present` says for every frame which of these phrases hold for it: all but the
    characters that are not in its cast. `told` has for every line, switched off or not, whether it
    is a frame; empty where none is switched off. `names` are those of the cast, which the last
    phrases describe; `references` its pictures, in the order in which models see them.
    """

    identity_phrases: tuple[str, ...]
    frames: tuple[str, ...]
    window_length: int
    present: tuple[tuple[int, ...], ...]
    told: tuple[bool, ...] = ()
    names: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def identity(self) -> str:
        """The identity's whole text, as it begins every prompt."""
        return " ".join(self.identity_phrases)

    def phrases(self, window: tuple[int, ...]) -> tuple[str, ...]:
        """The identity's phrases, then the window's frames: joined by single spaces they are the
        prompt.
        """
        return (*self.identity_phrases, *(self.frames[frame] for frame in window))

    def references_of(self, frame: int) -> tuple[Reference, ...]:
        """The pictures that a frame sees: those for every frame, and those of its cast."""
        return tuple(
            each
            for each in self.references
            if each.phrase is None or each.phrase in self.present[frame]
        )

    def phrase_of(self, name: str) -> int:
        """The place of a character's description among the identity's phrases. `name` is one of
        `names`.
        """
        return len(self.identity_phrases) - len(self.names) + self.names.index(name)


def parse_story(identity: str, frames: str, window_length: int) -> Story:
    """Make a Story of the node's raw texts, as `read_story` does, without what it was read as."""
    return read_story(identity, frames, window_length)[0]


def read_story(identity: str, frames: str, window_length: int) -> tuple[Story, Listing]:
    """Make a Story of the node's raw texts, and report how `frames` was read: a list, or one frame
    per line (`lists.py`).

    Blank lines and lines that begin with `#`, frames switched off, are not frames. Characters are
    read as in `cast.py`.
    """
    if not stripped(identity):
        raise InputError(
            "identity",
            "is empty",
            "Describe who stays the same, for example 'A photo of a red fox with a green coat'",
        )
    common, cast = read_identity(identity)
    listing = read_frames(frames, tuple(character.name for character in cast))
    if not listing.told:
        raise InputError(
            "frames",
            "holds no frame",
            "Write one frame per line, for example 'playing in the snow'; a line that begins with"
            " # is switched off",
        )
    if not 1 <= window_length <= MAX_WINDOW:
        raise InputError(
            "window_length",
            f"{window_length} is outside 1 to {MAX_WINDOW}",
            "The published default is 10",
        )
    story = replace(_tell(common, cast, listing.told, window_length), told=which_are_told(listing))
    unseen = [
        phrase
        for place, phrase in enumerate(story.identity_phrases)
        if not any(place in present for present in story.present)
    ]
    if unseen:
        logger.warning(
            "Story Prompt: no frame mentions %s",
            "; ".join(f"'{shown(phrase)}'" for phrase in unseen),
        )
    return story, listing


def tell(identity: str, frames: str, window_length: int) -> Story:
    """The Story of two texts, however few or empty its frames are. InputError where the cast is
    wrong.
    """
    common, cast = read_identity(identity)
    return _tell(
        common,
        cast,
        read_frames(frames, tuple(character.name for character in cast)).told,
        window_length,
    )


def _tell(
    common: str, cast: tuple[Character, ...], lines: list[tuple[int, str]], window_length: int
) -> Story:
    phrases = (
        (common, *(character.text for character in cast))
        if common or not cast
        else tuple(character.text for character in cast)
    )
    told = [read_frame(number, line, cast) for number, line in lines]
    first = len(phrases) - len(cast)  # the phrases before it are common to all frames
    present = tuple(
        (*range(first), *(first + place for place in mentioned)) for _, mentioned in told
    )
    names = tuple(character.name for character in cast)
    return Story(phrases, tuple(words for words, _ in told), window_length, present, names=names)


def which_are_told(listing: Listing) -> tuple[bool, ...]:
    """For every line or item with words, switched off or not, whether it is switched on; empty
    where all are.

    A line of nothing but `#` is a divider, not a frame.
    """
    told = tuple(frame.on for frame in listing.frames if stripped(frame.text.strip(SWITCHED_OFF)))
    return () if all(told) else told


def windows(frame_count: int, length: int) -> tuple[tuple[int, ...], ...]:
    """For every frame, the frames whose phrases are in its prompt.

    With `length` = N every frame has the one prompt P0 P1 .. PN. With a shorter window, frame i's
    is circular, Pi P(i+1) .. P(i+length-1 mod N), so that the frame it expresses comes first.
    """
    if length >= frame_count:
        return (tuple(range(frame_count)),) * frame_count
    return tuple(
        tuple((frame + step) % frame_count for step in range(length))
        for frame in range(frame_count)
    )


def fitting_length(
    identity_tokens: int, frame_tokens: list[int], window_length: int, budget: int
) -> int:
    """The largest window, at most `window_length` and N, for which every frame's prompt has at most
    `budget` tokens.

    Never less than 1: an identity and one frame over budget are still encoded, in several chunks.
    """
    frame_count = len(frame_tokens)
    for length in range(min(window_length, frame_count), 1, -1):
        longest = max(
            sum(frame_tokens[frame] for frame in window) for window in windows(frame_count, length)
        )
        if identity_tokens + longest <= budget:
            return length
    return 1
