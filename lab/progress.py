"""How far a long run is and how long it will still take, and files that are replaced as a whole."""

import time
from collections.abc import Callable
from pathlib import Path

EVERY = 20.0  # seconds between two lines
SETTLING = 5  # the first steps hold one-off costs and count for little


class Progress:
    """Counts steps and prints a line with an estimate now and then, the first as soon as there is
    one.
    """

    def __init__(self, name: str, total: int, unit: str):
        self.name, self.total, self.unit = name, total, unit
        self.done = 0
        self.start = self.last = time.monotonic()

    def step(self, note: str = "") -> None:
        self.done += 1
        now = time.monotonic()
        if self.done in (SETTLING, self.total) or now - self.last > EVERY:
            self.last = now
            print(
                f"{self.name}: {self.done} of {self.total} {self.unit}, {self.estimate(now)}{note}",
                flush=True,
            )

    def estimate(self, now: float) -> str:
        left = (now - self.start) / self.done * (self.total - self.done)
        return f"about {spoken(left)} left" if left else f"done in {spoken(now - self.start)}"


def spoken(seconds: float) -> str:
    """`40 seconds`, `12 minutes`, `3.5 hours`."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def replace_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a file beside `path`, then put it in its place at once: a stop in between
    leaves the old one.
    """
    part = path.with_name(path.name + ".part")
    write(part)
    part.replace(path)
