"""A story as text: one identity, N frames, and the window of frames that shares a prompt.

One-Prompt-One-Story, Liu et al., ICLR 2025 (arXiv 2501.13554): P0 is the identity prompt, P1..PN are the frames.
"""

from dataclasses import dataclass

from ..errors import InputError

MAX_WINDOW = 64
SWITCHED_OFF = "#"  # begins the line of a frame that is kept but not told


@dataclass(frozen=True)
class Story:
    """What the STORY socket carries. `frames` are the frame prompts in order, counted from 0 here and from 1 on screen."""

    identity: str
    frames: tuple[str, ...]
    window_length: int

    def phrases(self, window: tuple[int, ...]) -> tuple[str, ...]:
        """The identity, then the window's frames: the phrases that, joined by single spaces, are the prompt."""
        return (self.identity, *(self.frames[frame] for frame in window))


def parse_story(identity: str, frames: str, window_length: int) -> Story:
    """Make a Story of the node's raw texts: one frame a line, outer white space dropped.

    Blank lines and lines that begin with `#`, frames switched off, are no frames.
    """
    identity = identity.strip()
    if not identity:
        raise InputError("identity", "is empty", "Describe who stays the same, for example 'A photo of a red fox with a green coat'")
    lines = tuple(told_frames(frames))
    if not lines:
        raise InputError(
            "frames",
            "holds no frame",
            "Write one frame a line, for example 'playing in the snow'; a line that begins with # is switched off",
        )
    if not 1 <= window_length <= MAX_WINDOW:
        raise InputError("window_length", f"{window_length} is outside 1 to {MAX_WINDOW}", "The published default is 10")
    return Story(identity, lines, window_length)


def told_frames(text: str) -> list[str]:
    """The frames of a text of one frame a line, in order, without blank and switched-off lines."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(SWITCHED_OFF)]


def windows(frame_count: int, length: int) -> tuple[tuple[int, ...], ...]:
    """For every frame, the frames whose phrases are in its prompt.

    With `length` = N every frame has the one prompt P0 P1 .. PN. With a shorter window, frame i's is circular,
    Pi P(i+1) .. P(i+length-1 mod N), so that the frame it expresses comes first.
    """
    if length >= frame_count:
        return (tuple(range(frame_count)),) * frame_count
    return tuple(tuple((frame + step) % frame_count for step in range(length)) for frame in range(frame_count))


def fitting_length(identity_tokens: int, frame_tokens: list[int], window_length: int, budget: int) -> int:
    """The largest window, at most `window_length` and N, for which every frame's prompt has at most `budget` tokens.

    Never less than 1: an identity and one frame over budget are still encoded, in several chunks.
    """
    frame_count = len(frame_tokens)
    for length in range(min(window_length, frame_count), 1, -1):
        longest = max(sum(frame_tokens[frame] for frame in window) for window in windows(frame_count, length))
        if identity_tokens + longest <= budget:
            return length
    return 1
