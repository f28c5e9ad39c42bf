"""Which frames share a prompt, by the real token counts of a CLIP's text encoders."""

from ..log import logger
from ..story.story import Story, fitting_length, windows
from .clip import Reader
from .layout import chunk_budget, content


def choose_windows(reader: Reader, story: Story) -> tuple[tuple[int, ...], ...]:
    """For every frame, the frames in its prompt: as many as fit the fullest CLIP tower.

    Where no tower has positions in the conditioning (Flux, Qwen-Image, ..) there is no budget, and
    the window is window_length.
    """
    if not reader.towers:
        length = min(story.window_length, len(story.frames))
    else:
        length = _fitting_length(reader, story)
    two_way = [key for key in reader.others if key in reader.kind.two_way]
    if two_way and length < len(story.frames):
        logger.warning(
            "SVR Reweight: %s reads a prompt as a whole, so the identity is the same only in"
            " frames that share one prompt, and here %d of %d do: raise window_length, or shorten"
            " the texts where CLIP's limit shrinks the window",
            ", ".join(two_way),
            length,
            len(story.frames),
        )
    return windows(len(story.frames), length)


def token_limit(reader: Reader) -> int | None:
    """How many content tokens fit a prompt of this CLIP; None where there is no limit."""
    if not reader.towers:
        return None
    return min(chunk_budget(reader.empty[tower]) for tower in reader.towers)


def _fitting_length(reader: Reader, story: Story) -> int:
    """The largest window that fits. Reports frames that are over budget even on their own."""
    texts = (story.identity, *story.frames)
    each = [[tokens[tower] for tower in reader.towers] for tokens in map(reader.tokenize, texts)]
    identity, *frames = (max(len(content(chunks)) for chunks in towers) for towers in each)
    budget = min(chunk_budget(chunks) for towers in each for chunks in towers)
    over = [str(frame + 1) for frame, size in enumerate(frames) if identity + size > budget]
    if over:
        logger.warning(
            "SVR Reweight: identity and frame are over %d tokens and are encoded in several chunks:"
            " frame %s",
            budget,
            ", ".join(over),
        )
    return fitting_length(identity, frames, story.window_length, budget)
