import math

import pytest
import torch
from story_pack.ipca.attention import dropout_kept, memory_bias, with_memory

HEADS, WIDTH, QUERIES, KEYS, REMEMBERED = 2, 6, 5, 7, 3


def attend(q, k, v, mask):
    """A back end: torch's own attention on ComfyUI's shapes."""

    def split(x):
        return x.view(x.shape[0], -1, HEADS, WIDTH).transpose(1, 2)

    out = torch.nn.functional.scaled_dot_product_attention(
        split(q), split(k), split(v), attn_mask=mask
    )
    return out.transpose(1, 2).flatten(2)


def tensors(batch: int = 2):
    generator = torch.Generator().manual_seed(5)

    def draw(*shape):
        return torch.randn(*shape, HEADS * WIDTH, generator=generator, dtype=torch.float64)

    return (
        draw(batch, QUERIES),
        draw(batch, KEYS),
        draw(batch, KEYS),
        draw(1, REMEMBERED),
        draw(1, REMEMBERED),
    )


def spelled_out(q, k, v, mk, mv, weight):
    """The equation with loops: weight[i][j] is M of query i and memory key j."""
    out = torch.zeros_like(q)
    for b in range(q.shape[0]):
        for h in range(HEADS):
            part = slice(h * WIDTH, (h + 1) * WIDTH)
            for i in range(QUERIES):
                keys = [(k[b, j, part], v[b, j, part], 1.0) for j in range(k.shape[1])]
                keys += [
                    (mk[0, j, part], mv[0, j, part], float(weight[i][j])) for j in range(REMEMBERED)
                ]
                terms = [
                    m * math.exp(float(q[b, i, part] @ key) / math.sqrt(WIDTH))
                    for key, _, m in keys
                ]
                out[b, i, part] = sum(
                    term * value for term, (_, value, _) in zip(terms, keys)
                ) / sum(terms)
    return out


@pytest.mark.parametrize("strength", [1.0, 0.3, 2.5])
def test_memory_is_more_keys_weighted_by_strength(strength):
    q, k, v, mk, mv = tensors()
    weight = torch.full((QUERIES, REMEMBERED), strength)
    torch.testing.assert_close(
        with_memory(attend, q, k, v, mk, mv, 1, strength, None),
        spelled_out(q, k, v, mk, mv, weight),
    )


def test_dropout_hides_memory_keys_from_single_queries():
    q, k, v, mk, mv = tensors()
    kept = torch.rand(QUERIES, REMEMBERED, generator=torch.Generator().manual_seed(1)) > 0.5
    kept[0] = False  # a query may lose all of the memory
    out = with_memory(attend, q, k, v, mk, mv, 1, 2.0, kept)
    torch.testing.assert_close(out, spelled_out(q, k, v, mk, mv, 2.0 * kept))
    torch.testing.assert_close(out[:, 0], attend(q, k, v, None)[:, 0])


@pytest.mark.parametrize("strength, dropped", [(1.0, False), (0.4, False), (1.0, True)])
def test_repeating_the_own_tokens_changes_nothing(strength, dropped):
    q, k, v, mk, mv = tensors()
    kept = torch.tensor([[True, False, True]] * QUERIES) if dropped else None
    once = with_memory(attend, q, k, v, mk, mv, 1, strength, kept)
    thrice = with_memory(attend, q, k.repeat(1, 3, 1), v.repeat(1, 3, 1), mk, mv, 3, strength, kept)
    torch.testing.assert_close(once, thrice)


def test_no_mask_of_queries_by_keys_without_dropout():
    like = torch.zeros(1, 4096, 8)
    assert memory_bias(77, 9, 1.0, None, like) is None
    assert memory_bias(77, 9, 0.5, None, like).shape == (1, 86)


def test_dropout_rate_and_what_it_depends_on():
    site = ("input", 4, 1)
    kept = dropout_kept(400, 500, 0.3, 7, 3, site)
    share = kept.float().mean().item()
    assert abs(share - 0.7) < 5 * math.sqrt(
        0.21 / kept.numel()
    )  # five standard errors of a Bernoulli mean
    assert torch.equal(kept, dropout_kept(400, 500, 0.3, 7, 3, site))
    for other in [(8, 3, site), (7, 4, site), (7, 3, ("input", 4, 0))]:
        assert not torch.equal(kept, dropout_kept(400, 500, 0.3, *other))
    assert dropout_kept(50, 50, 0.0, 0, 0, site).all()
    assert not dropout_kept(50, 50, 1.0, 0, 0, site).any()
