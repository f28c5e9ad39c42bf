"""What SVR still does in models that normalise each text row before they read it: Qwen-Image;
Lumina 2 and Z-Image.

The normalising layers are those of ComfyUI's own classes, built without blocks.
"""

import importlib
import math

import comfy.ops
import pytest
import torch
from comfy.ldm.lumina.model import NextDiT
from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel

WIDTH = 48
COMMON = {"dtype": torch.float32, "device": "cpu", "operations": comfy.ops.manual_cast}
GAINS = torch.linspace(0.3, 2.0, WIDTH)  # that differ, as trained ones do
LONG = 1e3  # a language model's rows beside CLIP's: the layers' own epsilon plays no part in them


def qwen_image():
    sizes = {"attention_head_dim": 16, "num_attention_heads": 2, "axes_dims_rope": (4, 6, 6)}
    return QwenImageTransformer2DModel(
        num_layers=0, joint_attention_dim=WIDTH, **sizes, **COMMON
    ).txt_norm


def lumina():
    sizes = {
        "dim": 32,
        "n_heads": 2,
        "n_refiner_layers": 0,
        "axes_dims": (4, 6, 6),
        "axes_lens": (8, 8, 8),
    }
    return NextDiT(n_layers=0, cap_feat_dim=WIDTH, **sizes, **COMMON).cap_embedder[0]


@pytest.fixture(params=[qwen_image, lumina])
def norm(request):
    layer = request.param()
    layer.weight.data = GAINS.clone()
    return layer


@pytest.fixture(scope="module")
def svr(pack):
    return importlib.import_module(f"{pack.__name__}.svr.reweight")


def axes(*lengths):
    """Vectors of these lengths, at right angles to each other."""
    generator = torch.Generator().manual_seed(5)
    directions, _ = torch.linalg.qr(torch.randn(WIDTH, len(lengths), generator=generator))
    return directions.T * torch.tensor(lengths)[:, None]


def test_a_plain_factor_is_lost(norm):
    """Such as svr-eot's 0.9 and both betas."""
    rows = LONG * axes(30.0, 20.0, 40.0)
    torch.testing.assert_close(norm(rows * 0.9), norm(rows))
    torch.testing.assert_close(norm(rows * 0.05), norm(rows))


def test_rows_at_right_angles_stay_what_they_were(norm, svr):
    """Each singular value is one row's, and so is its factor."""
    rows = LONG * axes(30.0, 20.0, 40.0)
    for weights in (svr.Weights(-0.1, 0.05), svr.Weights(0.02, 2.0)):
        out = svr.reweight(rows, weights, LONG)
        assert (out.norm(dim=-1) / rows.norm(dim=-1) - 1).abs().min() > 0.1
        torch.testing.assert_close(norm(out), norm(rows), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("alpha", [-0.01, -0.1, 0.02])
def test_what_is_left_is_a_turn_towards_or_from_what_the_rows_share(norm, svr, alpha):
    """Rows u + v and u - v have the singular values sqrt(2) |u| and sqrt(2) |v|, so the tangent of
    their angle to what they share, u, becomes exp(alpha sqrt(2) (|v| - |u|) / scale) times what it
    was, and beta does nothing.
    """
    u, v = LONG * axes(25.0, 10.0)
    tangent = 0.4 * math.exp(alpha * math.sqrt(2) * (10 - 25))
    shared, apart = u / u.norm(), v / v.norm()
    for beta in (0.05, 1.0):
        turned = (
            norm(svr.reweight(torch.stack([u + v, u - v]), svr.Weights(alpha, beta), LONG)) / GAINS
        )
        torch.testing.assert_close(
            (turned @ apart) / (turned @ shared),
            torch.tensor([tangent, -tangent]),
            rtol=1e-3,
            atol=1e-4,
        )
        torch.testing.assert_close(
            turned.norm(dim=-1), torch.full((2,), math.sqrt(WIDTH)), rtol=1e-3, atol=1e-3
        )
