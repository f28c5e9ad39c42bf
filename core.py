"""What the pack needs of the ComfyUI that loads it: looked for, never read off a version number."""

import inspect
from collections.abc import Callable

NEEDED = (
    "One Prompt, One Story is a node pack for ComfyUI 0.3.64 or newer: clone it into"
    " ComfyUI/custom_nodes and start ComfyUI"
)


def check() -> None:
    """Raise one ImportError that says what to do where there is no ComfyUI, or one that lacks what
    the pack uses.
    """
    try:
        from comfy.ldm.modules.attention import attention_basic
        from comfy.patcher_extension import WrappersMP
        from comfy_api.latest import io
    except ImportError as error:
        raise ImportError(f"{NEEDED} ({error}).") from None
    if (
        not hasattr(io, "ComfyNode")
        or not hasattr(WrappersMP, "DIFFUSION_MODEL")
        or not takes_options(attention_basic)
    ):
        raise ImportError(f"{NEEDED} (this one is too old).")


def takes_options(attention: Callable) -> bool:
    """Whether attention back ends take `transformer_options`, by which overrides reach them."""
    parameters = inspect.signature(attention).parameters
    return "transformer_options" in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )
