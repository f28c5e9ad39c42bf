"""Errors that an artist can act on: which node, which input, what is wrong, what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """A bad input: which one, what is wrong with it, what to do. The node adds its name in
    front.
    """

    def __init__(self, input: str, problem: str, remedy: str):
        super().__init__(input, problem, remedy)
        self.input, self.problem, self.remedy = input, problem, remedy

    def __str__(self) -> str:
        return f"{self.input}: {self.problem}. {self.remedy}."


@contextmanager
def reported_by(node: str) -> Iterator[None]:
    """Turn every InputError raised inside into a plain ValueError that begins with the node's
    display name.
    """
    try:
        yield
    except InputError as error:
        raise ValueError(f"{node} - {error}") from None
