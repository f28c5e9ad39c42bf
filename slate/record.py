"""What a slate says, and what follows from the slates of all pictures that came."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..story.selection import parse_selection, selection_text
from ..story.share import Share

FIELDS = struct.Struct(">7I?I")  # the numbers of a Record in their order, then the length of `asked` in bytes


@dataclass(frozen=True)
class Record:
    """One picture's slate. Frames are counted from 0, as everywhere but on screen; `asked` is a text like 1-3,5, from 1."""

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
        numbers = (self.frame, self.count, self.part, self.parts, self.width, self.height, self.story)
        return FIELDS.pack(*numbers, self.first_is_the_masters, len(asked)) + asked + _bytes(self.caption)

    @classmethod
    def decode(cls, message: bytes) -> "Record":
        frame, count, part, parts, width, height, story, first_is_the_masters, length = FIELDS.unpack_from(message)
        asked, caption = (
            message[FIELDS.size : FIELDS.size + length].decode(),
            message[FIELDS.size + length :].decode(errors="surrogatepass"),
        )
        return cls(frame, count, part, parts, width, height, story, first_is_the_masters, asked, caption)


def records_of(
    share: Share, frames: Sequence[int], asked: Sequence[int], size: tuple[int, int], first_is_the_masters: bool
) -> list[Record]:
    """The slates of the pictures of `frames`, each (height, width) = `size`; `asked` is all that any machine hands in."""
    height, width = size
    story = zlib.crc32(_bytes("\n".join(share.captions)))
    wanted = selection_text(asked)
    return [
        Record(
            frame, len(share.captions), share.part, share.parts, width, height, story, first_is_the_masters, wanted, share.captions[frame]
        )
        for frame in frames
    ]


def longest_message(share: Share, asked: Sequence[int]) -> int:
    """Bytes of the longest slate of the story: the same on every machine, so that all pictures have the same size."""
    return FIELDS.size + len(selection_text(asked)) + max(len(_bytes(caption)) for caption in share.captions)


@dataclass(frozen=True)
class Gathered:
    """What came: places of the pictures in the story's order, each frame once; their records; frames that did not come."""

    places: list[int]
    records: list[Record]
    missing: list[int]


def gather(records: Sequence[Record]) -> Gathered:
    """Put pictures in order by their slates. Of doubles the first counts: a collector hands on its own machine's pictures first."""
    first: dict[int, int] = {}
    for place, record in enumerate(records):
        if (record.story, record.asked) != (records[0].story, records[0].asked):
            raise InputError("images", "there are pictures of two different stories", "Use a Story Slate and a Story Gather for each story")
        first.setdefault(record.frame, place)
    asked = parse_selection(records[0].asked, records[0].count)
    places = [first[frame] for frame in sorted(first)]
    return Gathered(places, [records[place] for place in places], [frame for frame in asked if frame not in first])


def report(gathered: Gathered) -> InputError:
    """The error that names the missing frames, for after what came has been handed on."""
    missing, came = selection_text(gathered.missing), gathered.records
    remedy = (
        "The others were handed on. The log of the machine that had them says why; "
        f"write {missing} into select of Story Batch to render them alone"
    )
    if came[0].parts > 1 and came[0].first_is_the_masters and all(record.part > 0 for record in came):
        remedy += ". Nobody rendered the master's share: if the master only delegates, say so in master of Story Slate"
    return InputError("images", f"{len(gathered.missing)} of {len(gathered.missing) + len(came)} frames did not come: {missing}", remedy)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # half a character, as a script may send it, is no reason to fail here
