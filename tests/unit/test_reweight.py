import math

import pytest
import torch
from story_pack.svr.layout import Layout
from story_pack.svr.reweight import (
    CLIP_ROW,
    SINK,
    Weights,
    express,
    reweight,
    scale_of,
    without_sinks,
)

ENHANCE, WEAKEN = Weights(0.01, 1.0), Weights(-0.01, 0.05)


def random_rows(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    return 5 * torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("weights", [ENHANCE, WEAKEN, Weights(0.0, 1.0), Weights(-0.5, 0.3)])
def test_orthogonal_rows_have_a_closed_form(weights):
    # Rows s_i * e_i have the singular values s_i, so row i must become beta * exp(alpha * s_i) *
    # s_i * e_i.
    values = torch.tensor([30.0, 7.0, 0.5])
    out = reweight(torch.diag(values)[:, [2, 0, 1]], weights)
    expected = torch.tensor(
        [weights.beta * math.exp(weights.alpha * s) * s for s in values.tolist()]
    )
    torch.testing.assert_close(out, torch.diag(expected)[:, [2, 0, 1]])


def test_dtype_is_kept_and_input_is_not_changed():
    rows = random_rows(5, 9).half()
    before = rows.clone()
    assert reweight(rows, ENHANCE).dtype == torch.float16
    assert torch.equal(rows, before)


def published(x: torch.Tensor, alpha: float, beta: float) -> torch.Tensor:
    """The paper's equation with the full-size SVD and a rectangular S."""
    u, s, vt = torch.linalg.svd(x.double(), full_matrices=True)
    middle = torch.zeros(x.shape[0], x.shape[1], dtype=torch.float64)
    for i, value in enumerate(s):
        middle[i, i] = beta * torch.exp(alpha * value) * value
    return (u @ middle @ vt).float()


LAYOUT = Layout(phrases=((1, 2), (3, 4, 5), (6,), (7, 8)), begins=(0,), ends=(9, 10, 11))


def test_express_weakens_the_others_in_turn_and_then_enhances():
    embeds = random_rows(12, 20)
    expected = embeds.clone()
    for rows, alpha, beta in [([3, 4, 5], -0.01, 0.05), ([7, 8], -0.01, 0.05), ([6], 0.01, 1.0)]:
        rows = rows + [9, 10, 11]
        expected[rows] = published(expected[rows], alpha, beta)
    out = express(embeds, LAYOUT, 2, ENHANCE, WEAKEN, eot_apart=False)
    torch.testing.assert_close(out, expected)
    assert torch.equal(out[:3], embeds[:3]), "begin token and identity stay as they are"


def test_eot_mode_fades_the_end_rows_once_a_pass():
    embeds = random_rows(12, 20)
    out = express(embeds, LAYOUT, 1, ENHANCE, WEAKEN, eot_apart=True)
    torch.testing.assert_close(out[9:], embeds[9:] * 0.9**3)
    torch.testing.assert_close(out[3:6], published(embeds[3:6], 0.01, 1.0))
    torch.testing.assert_close(out[[6]], published(embeds[[6]], -0.01, 0.05))
    torch.testing.assert_close(out[7:9], published(embeds[7:9], -0.01, 0.05))


def test_neutral_weights_change_nothing():
    embeds = random_rows(12, 20)
    out = express(embeds, LAYOUT, 3, Weights(0.0, 1.0), Weights(0.0, 1.0), eot_apart=False)
    torch.testing.assert_close(out, embeds)


def test_a_phrase_without_rows_in_this_tower_is_passed_over():
    embeds = random_rows(12, 20)
    layout = Layout(phrases=((1, 2), (), (3, 4)), begins=(0,), ends=(5, 6, 7, 8, 9, 10, 11))
    assert torch.equal(
        express(embeds, layout, 1, ENHANCE, Weights(0.0, 1.0), eot_apart=True)[:3], embeds[:3]
    )
    out = express(embeds, layout, 2, ENHANCE, WEAKEN, eot_apart=False)
    torch.testing.assert_close(out[3:], published(embeds[3:], 0.01, 1.0))


@pytest.mark.parametrize("scale", [0.01, 1e3])
def test_another_encoders_rows_are_reweighted_as_clips_of_the_same_shape(scale):
    """beta exp(alpha S / scale) S of rows `scale` times as long is `scale` times what CLIP's rows
    become, so nothing overflows.
    """
    rows = 20 * random_rows(5, 9)
    for weights in (ENHANCE, WEAKEN):
        torch.testing.assert_close(
            reweight(rows.double() * scale, weights, scale),
            scale * reweight(rows.double(), weights),
        )
    assert not torch.isfinite(reweight(rows.double() * 1e3, ENHANCE)).all(), (
        "without a scale it does"
    )


def test_the_scale_is_the_middle_row_and_sinks_neither_rule_it_nor_are_touched():
    embeds = 2 * torch.nn.functional.normalize(random_rows(12, 20), dim=-1)
    embeds[[3, 9]] *= 100  # a word's and an end-of-text row of a language model's attention sink
    scale = scale_of(embeds, LAYOUT)
    assert scale == pytest.approx(2 / CLIP_ROW, rel=1e-6)
    kept = without_sinks(embeds, LAYOUT, scale)
    assert kept == Layout(phrases=((1, 2), (4, 5), (6,), (7, 8)), begins=(0,), ends=(10, 11))
    assert without_sinks(embeds.clamp(-SINK / 20, SINK / 20), LAYOUT, scale) == LAYOUT
    assert scale_of(torch.zeros(12, 20), LAYOUT) == 1.0


class Elsewhere(torch.Tensor):
    """A tensor on a device without 64-bit floats: what comes of it is there too, until it is
    brought to the CPU.
    """

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.Tensor.cpu:
            return args[0].as_subclass(torch.Tensor)
        if func is torch.Tensor.to and any(isinstance(arg, cls) for arg in args[1:]):
            return (
                args[0].to(args[1].dtype).as_subclass(cls)
            )  # `tensor.to(other)`: to the other's device
        out = super().__torch_function__(func, types, args, kwargs or {})
        if torch.is_tensor(out) and out.dtype == torch.float64:
            raise TypeError(f"{func}: this device has no float64")
        return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("eot_apart", [False, True])
def test_a_device_without_float64(dtype, eot_apart):
    embeds = random_rows(12, 20).to(dtype)
    there = embeds.as_subclass(Elsewhere)
    with pytest.raises(TypeError, match="no float64"):
        there.double()
    out = express(there, LAYOUT, 2, ENHANCE, WEAKEN, eot_apart)
    assert isinstance(out, Elsewhere) and out.dtype == dtype
    assert torch.equal(out.cpu(), express(embeds, LAYOUT, 2, ENHANCE, WEAKEN, eot_apart))
    assert scale_of(there, LAYOUT) == scale_of(embeds, LAYOUT)
    assert without_sinks(there, LAYOUT, 0.01) == without_sinks(embeds, LAYOUT, 0.01)
