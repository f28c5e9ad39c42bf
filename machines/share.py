"""Which frames of a story one of several machines renders."""

from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True)
class Share:
    """What the STORY_SHARE socket carries. Frames are counted from 0.

    `captions` has one text for every frame of the story, `asked` the frames that all machines
    render together, `rendered` those of this machine, one per picture: share `part` of `parts`.
    """

    captions: tuple[str, ...]
    asked: tuple[int, ...]
    rendered: tuple[int, ...]
    part: int
    parts: int


def share_of(frames: list[int], part: int, parts: int, spare_machines: bool = False) -> list[int]:
    """The contiguous share of `frames` that machine `part` (from 0) of `parts` renders.

    Shares differ by at most one frame. `parts` 0 means no sharing: all of them. More parts than
    frames are an error unless there may be `spare_machines`: then every machine renders one frame
    and some frames come more than once, because the collector would wait for a machine that sends
    nothing. Raises InputError by the names of Story Batch's inputs, part_index and parts.
    """
    if parts == 0:
        if part != 0:
            problem = f"{part} is set but parts is 0, automatic"
            remedy = "Set parts to the number of machines, or part_index to 0"
            raise InputError("part_index", problem, remedy)
        return frames
    if not 0 <= part < parts:
        remedy = "Set parts to the number of machines and count them from 0"
        raise InputError("part_index", f"{part} is not below parts {parts}", remedy)
    count = len(frames)
    if parts > count:
        if spare_machines:
            return [frames[part % count]]
        problem = f"{parts} parts for {count} selected frames leave a machine without a frame"
        raise InputError("parts", problem, f"Set parts to at most {count}")
    return frames[part * count // parts : (part + 1) * count // parts]
