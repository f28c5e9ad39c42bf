"""What all nodes do: check the inputs against the schema, and name the node in an error."""

from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any, ClassVar

from comfy_api.latest import io

from ..errors import InputError, reported_by
from .common import require_socket


class StoryNode(io.ComfyNode):
    """A node of the pack: `define_schema` says what it takes, `run` what it does.

    ComfyUI checks numbers and options that are typed in, but nothing that comes through a link or
    from a script. Naming an input in `validate_inputs` would switch its own check off.
    """

    # A class method of the node, which takes the schema's inputs by name.
    run: ClassVar[Callable[..., io.NodeOutput]]
    # By input: what to do about a number or option that is not allowed. Else: choose one that is.
    REMEDIES: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        """`run`, on inputs that the schema allows.

        Raises ValueError, whose text reads `node - input: problem. remedy.`, for all others.
        """
        schema = cls.define_schema()
        with reported_by(schema.display_name):
            for declared, value in _given(schema, inputs):
                require_socket(declared.id, value, declared.io_type)
                _require_allowed(declared, value, cls.REMEDIES.get(declared.id))
            return cls.run(**inputs)


def _given(schema: io.Schema, inputs: Mapping[str, Any]) -> Iterator[tuple[io.Input, Any]]:
    """Every value that came, with the input that it is for; an optional input may be None."""
    for declared in schema.inputs:
        if declared.id not in inputs:
            continue
        value = inputs[declared.id]
        for item in (value or [None]) if schema.is_input_list else [value]:
            if item is not None or not declared.optional:
                yield declared, item


def _require_allowed(declared: io.Input, value: Any, remedy: str | None) -> None:
    """Raise InputError unless a number is in its range and a choice among its options."""
    options = getattr(declared, "options", None)
    low, high = getattr(declared, "min", None), getattr(declared, "max", None)
    if options is not None and value not in options:
        known = ", ".join(options)
        raise InputError(declared.id, f"'{value}' is unknown", remedy or f"Choose one of {known}")
    if low is None or high is None:
        return
    if not isinstance(value, Real):
        problem = f"expected a number, received {type(value).__name__}"
    elif not low <= value <= high:  # a NaN fails both comparisons
        problem = f"{value} is outside {low:g} to {high:g}"
    else:
        return
    raise InputError(declared.id, problem, remedy or f"Choose a number from {low:g} to {high:g}")
