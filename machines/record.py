"""What a slate contains, and what follows from the slates of all pictures that came."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..story.selection import parse_selection, selection_text
from .share import Share

# The numbers of a Record in their order, then the length of `asked` in bytes.
FIELDS = struct.Struct(">7I?I")


@dataclass(frozen=True)
class Record:
    """One picture's slate. Frames are counted from 0; `asked` is a text like 1-3,5, from 1."""

    frame: int
    count: int  # frames of the story
    part: int
    parts: int
    width: int
    height: int
    story: int  # CRC-32 of all captions: pictures of two stories are never mixed
    first_is_the_masters: bool
    asked: str
    caption: str

    def encode(self) -> bytes:
        asked = self.asked.encode()
        numbers = (self.frame, self.count, self.part, self.parts, self.width, self.height)
        head = FIELDS.pack(*numbers, self.story, self.first_is_the_masters, len(asked))
        return head + asked + _bytes(self.caption)

    @classmethod
    def decode(cls, message: bytes) -> "Record":
        numbers: tuple[Any, ...] = FIELDS.unpack_from(message)
        caption_at = FIELDS.size + numbers[-1]
        asked = message[FIELDS.size : caption_at].decode()
        caption = message[caption_at:].decode(errors="surrogatepass")
        return cls(*(*numbers[:-1], asked, caption))


def records_of(
    share: Share,
    frames: Sequence[int],
    asked: Sequence[int],  # all frames that any machine renders
    size: tuple[int, int],  # height and width of each picture
    first_is_the_masters: bool,
) -> list[Record]:
    """The slates of this machine's pictures of `frames`."""
    height, width = size
    captions = share.captions
    of_all = (len(captions), share.part, share.parts, width, height)
    story = zlib.crc32(_bytes("\n".join(captions)))
    told = (story, first_is_the_masters, selection_text(asked))
    return [Record(frame, *of_all, *told, captions[frame]) for frame in frames]


def longest_message(share: Share, asked: Sequence[int]) -> int:
    """Bytes of the story's longest slate, the same on every machine: all pictures get one size."""
    longest = max(len(_bytes(caption)) for caption in share.captions)
    return FIELDS.size + len(selection_text(asked)) + longest


@dataclass(frozen=True)
class Gathered:
    """What came, in the story's order, each frame once; and which frames did not."""

    places: list[int]  # of the pictures that are kept, among those that came
    records: list[Record]
    missing: list[int]


def gather(records: Sequence[Record]) -> Gathered:
    """Put pictures in order by their slates.

    Of duplicates the first counts: a collector passes on its own machine's pictures first. Raises
    InputError for pictures of two stories.
    """
    told = records[0]
    first: dict[int, int] = {}
    for place, record in enumerate(records):
        if (record.story, record.asked) != (told.story, told.asked):
            remedy = "Use a Story Slate and a Story Gather for each story"
            raise InputError("images", "there are pictures of two different stories", remedy)
        first.setdefault(record.frame, place)
    places = [first[frame] for frame in sorted(first)]
    asked = parse_selection(told.asked, told.count)
    missing = [frame for frame in asked if frame not in first]
    return Gathered(places, [records[place] for place in places], missing)


def report(gathered: Gathered) -> InputError:
    """The error that names the missing frames, raised after the other pictures are passed on."""
    missing, came = selection_text(gathered.missing), gathered.records
    remedy = (
        "The others were passed on. The log of the machine that had them shows why; write"
        f" {missing} into select of Story Batch to render only these"
    )
    master_left_out = came[0].first_is_the_masters and all(record.part > 0 for record in came)
    if came[0].parts > 1 and master_left_out:
        remedy += ". No machine rendered the master's share: "
        remedy += "if the master only delegates, set master of Story Slate to only delegates"
    count = len(gathered.missing)
    problem = f"{count} of {count + len(came)} frames did not come: {missing}"
    return InputError("images", problem, remedy)


def _bytes(text: str) -> bytes:
    """Half a surrogate pair, which a script may send, must not fail here."""
    return text.encode(errors="surrogatepass")
