"""Stand-ins for devices that are not there: one without values to read, and one without 64-bit
floats.
"""

import contextlib
import warnings
from collections.abc import Callable
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Captured:
    """The first model call of a run with a MODEL, to be made again: `model`, `x`, `t` and the
    keywords `c`.
    """

    def __init__(self, patcher, sample):
        self.model, self.calls = patcher.model, []
        spied = patcher.clone()

        def spy(apply, args):
            self.calls.append((args["input"], args["timestep"], dict(args["c"])))
            return apply(args["input"], args["timestep"], **args["c"])

        spied.set_model_unet_function_wrapper(spy)
        sample(spied)
        self.x, self.t, self.c = self.calls[0]

    @torch.inference_mode()
    def again(self, device=None):
        """The call once more; on `meta`, nothing has a value, so whatever looks at one raises, and
        so do mixed devices.
        """
        if device is None:
            return self.model.apply_model(self.x, self.t, **copied(self.c))
        with moved(self.model, device):
            return self.model.apply_model(
                self.x.to(device), self.t.to(device), **on(device, copied(self.c))
            )


def copied(c):
    return {**c, "transformer_options": dict(c["transformer_options"])}


def on(device, value):
    """`value` with every tensor of the batch on `device`. Integers stay: ComfyUI keeps row numbers
    on the CPU.
    """
    if torch.is_tensor(value):
        return value.to(device) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: on(device, item) for key, item in value.items()}
    return value


@contextlib.contextmanager
def moved(model, device):
    """The model's parameters and buffers as empty ones on `device`, for a while."""
    held = []
    for module in model.modules():
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is not None:
                held.append((module, name, tensor))
                own = module._parameters if name in module._parameters else module._buffers
                empty = torch.empty_like(tensor, device=device)
                own[name] = (
                    torch.nn.Parameter(empty, requires_grad=False)
                    if own is module._parameters
                    else empty
                )
    try:
        yield
    finally:
        for module, name, tensor in held:
            own = module._parameters if name in module._parameters else module._buffers
            own[name] = tensor


class Float64(TorchDispatchMode):
    """Counts operations with 64-bit floats, which Apple's and some of Intel's GPUs do not have."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        leaves = torch.utils._pytree.tree_leaves((args, kwargs, out))
        self.count += any(torch.is_tensor(leaf) and leaf.dtype == torch.float64 for leaf in leaves)
        return out


class HostReads(TorchDispatchMode):
    """Counts operations that need a tensor's value on the host: on a device, each of them waits for
    it.
    """

    # in inference mode, item stays whole
    READS = ("_local_scalar_dense", "item", "nonzero", "equal")
    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.name().split("::")[1].split(".")[0] in self.READS
        return func(*args, **(kwargs or {}))


def waits_of(call: Callable) -> int:
    """Device synchronisations of a call: torch's own warnings on CUDA, values read by the host on a
    CPU.
    """
    if torch.cuda.is_available():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            call()
            torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(warning.message) for warning in caught)
    tolist = torch.Tensor.tolist  # reads memory without an operation: no dispatch mode sees it

    def counted(tensor):
        reads.count += tensor.is_floating_point()  # ComfyUI keeps row numbers on the CPU
        return tolist(tensor)

    with HostReads() as reads, mock.patch.object(torch.Tensor, "tolist", counted):
        call()
    return reads.count
