"""Other packs at the same attn2: the sum is the neighbour's own output plus our residual, whoever
came first.
"""

import copy
import math

import pytest
import torch
from comfy.ldm.modules.attention import attention_basic, optimized_attention

from bench.references import LogBias, install_additive, install_wrapping, sites
from bench.studio import relative

ROUNDING = 5e-5


@pytest.fixture
def s(studio, shape):
    return studio(shape)


@pytest.fixture
def whole_block(shape):
    """IPAdapter keys SD1.x sites by block (2-tuples) and SDXL's by transformer (3-tuples)."""
    return shape == "sd15"


def delta(out, q, k, v, extra_options, weight=0.5, **kwargs):
    """An additive neighbour, as IPAdapter: its own attention result on top, from only q."""
    return weight * torch.tanh(q.flip(-1))


def out_dependent_delta(out, q, k, v, extra_options, **kwargs):
    """PuLID's orthogonal projection reads the running output."""
    return -0.3 * out


class Sum:
    """The expected sum: plain attention, the deltas on top in order, then attention with the bias
    less without.
    """

    def __init__(self, s, *deltas):
        self.bias = LogBias(s.model, s.frames, s.identity_tokens())
        self.deltas = deltas
        for place, number, index, _ in sites(s.model):
            self.bias.model.set_model_attn2_replace(self.attend, place, number, index)
        self.model = self.bias.model

    def attend(self, q, k, v, extra_options):
        plain = attention_basic(q, k, v, extra_options["n_heads"])
        out = plain
        for delta, first, last in self.deltas:
            if last <= float(extra_options["sigmas"][0]) <= first:
                out = out + delta(out, q, k, v, extra_options)
        return out + self.bias.attend(q, k, v, extra_options) - plain


ALWAYS = (1e9, 0.0)


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("callback", [delta, out_dependent_delta])
def test_additive_host_in_either_order(s, whole_block, ours_first, callback):
    expected = s.sample(Sum(s, (callback, *ALWAYS)).model)
    if ours_first:
        model = install_additive(s.ipca(), callback, whole_block)
    else:
        model = s.ipca(install_additive(s.model, callback, whole_block))
    assert relative(s.sample(model), expected) < ROUNDING
    assert relative(s.sample(s.ipca()), expected) > 100 * ROUNDING


def test_several_hosts_round_us_with_sigma_ranges(s, whole_block):
    """One before, two after, the last one only for the end of the run."""
    model = install_additive(s.model, delta, whole_block)
    model = install_additive(s.ipca(model), out_dependent_delta, whole_block)
    model = install_additive(model, delta, whole_block, sigma_start=5.0)
    expected = s.sample(
        Sum(s, (delta, *ALWAYS), (out_dependent_delta, *ALWAYS), (delta, 5.0, 0.0)).model, steps=4
    )
    assert relative(s.sample(model, steps=4), expected) < ROUNDING


def test_a_hosted_callback_runs_where_we_are_off(s, whole_block):
    alone = s.sample(install_additive(s.model, delta, whole_block))
    assert (
        relative(s.sample(install_additive(s.ipca(start_at_step=100), delta, whole_block)), alone)
        < ROUNDING
    )
    assert (
        relative(
            s.sample(s.ipca(install_additive(s.model, delta, whole_block), start_at_step=100)),
            alone,
        )
        < ROUNDING
    )


@pytest.mark.parametrize("ours_first", [True, False])
def test_additive_host_where_some_blocks_have_one_transformer(studio, ours_first):
    """Of the SDXL family, so IPAdapter keys these by transformer too."""
    s = studio("vega")
    expected = s.sample(Sum(s, (delta, *ALWAYS)).model)
    model = (
        install_additive(s.ipca(), delta, False)
        if ours_first
        else s.ipca(install_additive(s.model, delta, False))
    )
    assert relative(s.sample(model), expected) < ROUNDING
    assert relative(s.sample(s.ipca()), expected) > 100 * ROUNDING


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_whole_block_neighbour_on_sdxl(studio, ours_first):
    """A 2-tuple patch under our 3-tuple key: ComfyUI alone would pass it over."""
    s = studio("sdxl")
    patched = (s.ipca() if ours_first else s.model).clone()
    for place, number, _, _ in sites(patched):
        patched.set_model_attn2_replace(
            lambda q, k, v, o: optimized_attention(q, k, v, o["n_heads"]) * 0.7, place, number
        )
    model = patched if ours_first else s.ipca(patched)
    reference = Sum(s, (lambda out, *args: -0.3 * out, *ALWAYS)).model
    assert relative(s.sample(model), s.sample(reference)) < ROUNDING


def test_a_wrapping_closure_before_us_keeps_its_output(s):
    """NAG-style: its output is f * A, ours adds the residual: f * A + (A+ - A)."""
    reference = Sum(s, (lambda out, *args: -0.2 * out, *ALWAYS)).model
    assert (
        relative(s.sample(s.ipca(install_wrapping(s.model, 0.8))), s.sample(reference)) < ROUNDING
    )


def test_a_wrapping_closure_after_us_wraps_our_sum(s):
    """NAG-style after ours: f * A+."""
    reference = LogBias(s.model, s.frames, s.identity_tokens())
    for place, number, index, _ in sites(s.model):
        reference.model.set_model_attn2_replace(
            lambda *args: 0.8 * reference.attend(*args), place, number, index
        )
    assert relative(s.sample(install_wrapping(s.ipca(), 0.8)), s.sample(reference.model)) < ROUNDING


def test_a_second_patch_replaces_the_first(s):
    once = s.sample(s.ipca(strength=3.0))
    assert torch.equal(s.sample(s.ipca(s.ipca(blocks="mid"), strength=3.0)), once)
    assert torch.equal(s.sample(s.ipca(s.ipca(), blocks="mid")), s.sample(s.ipca(blocks="mid")))
    assert torch.equal(s.sample(s.ipca(s.ipca(), strength=0.0)), s.sample(s.model)), (
        "strength 0 takes an earlier one off"
    )


def test_replacing_keeps_the_neighbours(s, whole_block):
    """Also one that wraps the first patch, which must not add its residual a second time."""
    hosted = install_additive(s.ipca(strength=5.0), delta, whole_block)
    assert relative(s.sample(s.ipca(hosted)), s.sample(Sum(s, (delta, *ALWAYS)).model)) < ROUNDING
    alone = s.sample(install_additive(s.model, delta, whole_block))
    assert relative(s.sample(s.ipca(hosted, strength=0.0)), alone) < ROUNDING
    wrapped = install_wrapping(s.ipca(strength=5.0), 0.8)
    reference = Sum(s, (lambda out, *args: -0.2 * out, *ALWAYS)).model
    assert relative(s.sample(s.ipca(wrapped)), s.sample(reference)) < ROUNDING


def shallow_clone(monkeypatch):
    """Newer cores share patch objects between clones: dicts and lists are copied, what they hold is
    not. Older ones are made to.
    """
    import comfy.model_patcher

    if not hasattr(comfy.model_patcher, "copy"):
        return

    def copied(value, memo=None):
        if isinstance(value, dict):
            return {key: copied(item) for key, item in value.items()}
        return [copied(item) for item in value] if isinstance(value, list) else value

    monkeypatch.setattr(comfy.model_patcher.copy, "deepcopy", copied)


@pytest.mark.parametrize("sharing", [False, True])
def test_a_neighbour_on_a_clone_never_reaches_the_original(s, whole_block, monkeypatch, sharing):
    if sharing:
        shallow_clone(monkeypatch)
    ours = s.ipca()
    before = s.sample(ours)
    for _ in range(3):  # a cached upstream model, patched again at every run of the workflow
        model = install_additive(ours, delta, whole_block)
        assert relative(s.sample(model), s.sample(Sum(s, (delta, *ALWAYS)).model)) < ROUNDING
    assert torch.equal(s.sample(ours), before)
    assert torch.equal(s.sample(ours.clone()), before)


def test_the_input_model_is_never_changed(s):
    before = s.sample(s.model)
    options = copy.deepcopy(s.model.model_options)
    s.ipca(strength=2.0)
    assert s.model.model_options == options
    assert not s.model.wrappers and not s.model.callbacks
    assert torch.equal(s.sample(s.model), before)


def reachable(value, seen):
    """Everything that `value` holds: containers, attributes, closures."""
    if id(value) in seen or isinstance(value, (str, int, float, bool, type(None), type)):
        return
    seen[id(value)] = value
    if isinstance(value, dict):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = list(value)
    else:
        inner = (
            list(getattr(value, "__dict__", {}).values())
            if not callable(getattr(value, "__code__", None))
            else []
        )
        inner += [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
        inner += [value.__self__] if hasattr(value, "__self__") else []
    for item in inner:
        reachable(item, seen)


def test_no_module_and_no_big_tensor_is_held_between_runs(s):
    model = s.ipca()
    s.sample(model)
    seen = {}
    for held in (model.model_options, model.wrappers, model.callbacks):
        reachable(held, seen)
    assert not [value for value in seen.values() if isinstance(value, torch.nn.Module)]
    tensors = [value for value in seen.values() if torch.is_tensor(value)]
    rows = sum(tensor.numel() for tensor in tensors)
    assert 0 < rows <= 2 * s.identity_tokens() * tensors[0].shape[-1], (
        "nothing beyond the memory's own few rows"
    )


class BiasAtTheBeginning(LogBias):
    """The bias on a context that another patch has made longer: the identity's keys are still the
    first ones.
    """

    def attend(self, q, k, v, extra_options):
        bias = torch.zeros(q.shape[0], 1, 1, k.shape[1])
        bias[extra_options["reference_rows"], ..., : self.keys] = math.log(2)
        return attention_basic(
            q, k, v, extra_options["n_heads"], mask=bias.expand(-1, -1, q.shape[1], -1)
        )


def test_a_patch_that_changes_the_context(s):
    """attn2_patch users add tokens or scale them, for every row, before keys and values are
    made.
    """

    def extend(model):
        def patch(n, context, value, extra_options):
            more = 0.5 * context[:, -5:].flip(1)
            return n, torch.cat([context, more], 1), torch.cat([value, 2 * more], 1)

        patched = model.clone()
        patched.set_model_attn2_patch(patch)
        return patched

    expected = s.sample(extend(BiasAtTheBeginning(s.model, s.frames, s.identity_tokens()).model))
    assert relative(s.sample(extend(s.ipca())), expected) < ROUNDING
    assert relative(s.sample(s.ipca(extend(s.model))), expected) < ROUNDING
    assert relative(s.sample(extend(s.model)), expected) > 100 * ROUNDING
    assert relative(s.sample(s.ipca()), expected) > 100 * ROUNDING


def test_a_batch_that_another_node_expanded_is_left_alone_with_one_warning(s, warnings_of):
    """Attention couple repeats rows before the projection: skip rather than corrupt."""

    def expand(n, context, value, extra_options):
        return n.repeat(2, 1, 1), context.repeat(2, 1, 1), value.repeat(2, 1, 1)

    def shrink(n, extra_options):
        return n.chunk(2)[0]

    def couple(model):
        patched = model.clone()
        patched.set_model_attn2_patch(expand)
        patched.set_model_attn2_output_patch(shrink)
        return patched

    expected = s.sample(couple(s.model))
    assert relative(s.sample(couple(s.ipca())), expected) < ROUNDING
    [line] = warnings_of()
    assert "attention couple" in line
