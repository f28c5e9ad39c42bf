"""How full a story's prompts are, for an artist who is still typing."""

from dataclasses import dataclass

from .story import fitting_length, windows

CONTENT_TOKENS = 75  # CLIP's 77 less the begin and the end token


@dataclass(frozen=True)
class Budget:
    """The window that every frame's prompt fits, the tokens of the fullest prompt, and the frames
    that are too long even on their own.

    `over` counts frames from 0. A story without frames has window 0.
    """

    window: int
    fullest: int
    over: tuple[int, ...]


def budget_of(identity_tokens: int, frame_tokens: list[int], window_length: int) -> Budget:
    """What SVR Reweight will make of a story with these token counts."""
    if not frame_tokens:
        return Budget(0, identity_tokens, ())
    window = fitting_length(identity_tokens, frame_tokens, window_length, CONTENT_TOKENS)
    fullest = identity_tokens + max(
        sum(frame_tokens[frame] for frame in shared)
        for shared in windows(len(frame_tokens), window)
    )
    over = tuple(
        frame
        for frame, tokens in enumerate(frame_tokens)
        if identity_tokens + tokens > CONTENT_TOKENS
    )
    return Budget(window, fullest, over)
