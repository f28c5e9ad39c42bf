"""The lab's transformer: its text, its training in pieces, and how it runs in stock sampling."""

import inspect
import math

import pytest
import torch
from comfy.ldm.lumina.model import NextDiT

if "rope_theta" not in inspect.signature(NextDiT).parameters:
    pytest.skip("this ComfyUI's Lumina 2 has one size of RoPE", allow_module_level=True)

PROMPT = "a photo of a red fox with a green coat playing in the snow"


@pytest.fixture(scope="module")
def made(pack, tmp_path_factory):
    """MODEL and CLIP with random weights, from a file as the training exports it."""
    from safetensors.torch import save_file

    from lab.transformer import model as transformer

    torch.manual_seed(0)
    network = transformer.build_transformer().diffusion_model
    transformer.initialise(network)
    torch.nn.init.normal_(network.final_layer.linear.weight, std=0.1)
    path = tmp_path_factory.mktemp("transformer") / "weights.safetensors"
    save_file({name: value.half() for name, value in network.state_dict().items()}, path)
    return transformer.load_transformer(path)


@pytest.fixture
def training(pack, tmp_path, monkeypatch):
    from lab.training import loop
    from lab.transformer.train_transformer import Training

    monkeypatch.setenv("COMPILE", "0")
    monkeypatch.setattr(loop, "CHECKPOINTS", tmp_path / "checkpoints")
    return lambda: Training(seed=1)


def test_its_text_is_the_demo_models_without_the_padding(made):
    from demo.model import load_demo_model

    _, clip, _ = made
    _, demo, _ = load_demo_model()
    (own, _), (padded, _) = (
        c.encode_from_tokens_scheduled(c.tokenize(PROMPT))[0] for c in (clip, demo)
    )
    words = len(demo.tokenizer.clip_l.tokenizer(PROMPT)["input_ids"])
    assert own.shape[1] == words < padded.shape[1]
    assert torch.equal(own, padded[:, :words])


def test_training_reads_the_same_text(made, training):
    from lab.training.captions import BEGIN, END

    _, clip, _ = made
    encoder = training().encoder
    (own, _) = clip.encode_from_tokens_scheduled(clip.tokenize(PROMPT))[0]
    tokens = [BEGIN, *encoder.tokens(PROMPT), END]
    assert torch.allclose(encoder([tokens + [END] * 3])[:, : len(tokens)], own, atol=1e-5)


def test_a_few_steps_learn_a_batch_by_heart(training):
    """Its loss at the same moments with the same noise, before and after."""
    from lab.transformer.train_transformer import loss_of

    run = training()
    batch = next(run.captions.batches(16))

    def loss() -> float:
        fixed = torch.Generator().manual_seed(3)
        with torch.no_grad():
            return float(loss_of(run.model, run.encoder, batch, run.renderer, fixed))

    before = loss()
    for _ in range(12):
        run.step(*run.losses(batch), share=0.1)
    assert loss() < 0.98 * before


def test_training_goes_on_where_it_stopped(training):
    first = training()
    first.step(*first.losses(next(first.captions.batches(8))), share=0.1, size=8)
    first.save()
    second = training()
    assert second.state == first.state and second.state["seen"] == 8
    for mine, others in ((first.weights, second.weights), (first.ema, second.ema)):
        assert all(torch.equal(value, others[name]) for name, value in mine.items())
    (muon, _), (same, adam) = first.rates, second.rates
    for one, other in zip(muon.state.values(), same.state.values(), strict=True):
        assert torch.equal(one["momentum"], other["momentum"])
    assert {int(state["step"]) for state in adam.state.values()} == {1}


def test_ksampler_draws_what_euler_steps_by_hand_do(made, nodes):
    model, clip, _ = made
    positive = clip.encode_from_tokens_scheduled(clip.tokenize(PROMPT))
    latent = {"samples": torch.zeros(1, 3, 32, 32)}
    with torch.inference_mode():
        (drawn,) = nodes["KSampler"]().sample(
            model, 5, 4, 1.0, "euler", "simple", positive, positive, latent
        )
        x = torch.randn(1, 3, 32, 32, generator=torch.manual_seed(5))
        network, text = model.model.diffusion_model, positive[0][0]
        even = torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0])
        moments = (3 * even / (1 + 2 * even)).tolist()
        for now, then in zip(moments, moments[1:]):
            velocity = network(x, torch.tensor([now]), text, text.shape[1], transformer_options={})
            x = x + (then - now) * velocity
        by_hand = model.model.latent_format.process_out(x)
    assert torch.allclose(drawn["samples"], by_hand, atol=1e-4)


@pytest.fixture
def studios(made, nodes):
    from bench.studio import Studio
    from lab.transformer.rows import EMBEDDINGS
    from lab.transformer.text import build_encoder, tower_of

    model, clip, _ = made
    seen = build_encoder(reads_length=True)
    tower_of(seen).load_state_dict(tower_of(clip).state_dict())
    found = {"": Studio(nodes, model, clip), EMBEDDINGS: Studio(nodes, model, seen)}
    for studio in found.values():
        studio.negative = studio.encode("")
    return found


def test_only_where_length_counts_as_read_embeddings_are_reweighted(studios):
    from lab.transformer.rows import EMBEDDINGS, ROWS_KEY

    ((plain, _),) = studios[""].svr(mode="original")
    ((lost, factors), (read, none)) = (studios[name].svr()[0] for name in ("", EMBEDDINGS))
    assert torch.equal(lost, plain) and not torch.equal(read, plain)
    for record in factors[ROWS_KEY]:
        assert 0.05 in {factor for _, factor in record.factors}
    assert not any(record.factors for record in none[ROWS_KEY])


def test_scaled_keys_and_values_are_what_the_row_draws(studios):
    """Row (e) of one frame against an override of our own."""
    from lab.evidence.rows import Setting
    from lab.transformer.rows import ROWS, factors_in, render

    studio, setting = studios[""], Setting(steps=2, batch=1)
    story = {"identity": studio.identity, "frames": ["wearing a scarf", "playing in the snow"]}
    with torch.inference_mode():
        drawn, _ = render(studios, story, ROWS["e"], seed=3, setting=setting)
        told = studio.prompt(story["identity"], story["frames"])
        positives, latents, _, negatives, _ = studio.batch(
            told,
            studio.svr(told),
            frames_per_batch=1,
            negative=studio.negative,
            width=256,
            height=256,
            model=studio.model,
        )
        for frame in range(2):
            factors = factors_in(positives[frame])
            length = positives[frame][0][0].shape[1]

            def scaled(func, q, k, v, *args, factors=factors, length=length, **kwargs):
                if k.shape[2] in (length, length + 64):
                    k, v = k.clone(), v.clone()
                    for position, factor in factors:
                        k[:, :, position] *= factor
                        v[:, :, position] *= factor
                return func(q, k, v, *args, **kwargs)

            model = studio.model.clone()
            model.model_options["transformer_options"]["optimized_attention_override"] = scaled
            expected = studio.sample(
                model, positives[frame], latents[frame], negatives[frame], steps=2, seed=3
            )
            assert torch.allclose(drawn[frame : frame + 1], expected, atol=1e-5)


def test_a_weight_of_two_counts_a_key_twice(pack):
    """Row (g)'s bias against attention in which the key is there twice."""
    from comfy.ldm.modules.attention import attention_pytorch

    from lab.transformer.rows import counting

    override = counting(3, ((1, 2.0),))
    q, k, v = (torch.randn(1, 2, 3, 8) for _ in range(3))
    twice = [torch.cat([tensor, tensor[:, :, 1:2]], dim=2) for tensor in (k, v)]
    found = override(attention_pytorch, q, k, v, 2, skip_reshape=True)
    expected = attention_pytorch(q, *twice, 2, skip_reshape=True)
    assert torch.allclose(found, expected, atol=1e-5)


def test_muon_moves_by_orthogonal_matrices():
    from lab.transformer.muon import Muon, orthogonal

    torch.manual_seed(0)
    for shape in ((4, 20, 50), (4, 50, 20)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert 0.5 < values.min() and values.max() < 1.4
    weight = torch.nn.Parameter(torch.zeros(30, 10))
    weight.grad = torch.randn(30, 10)
    Muon({weight: 1}, lr=0.1).step()
    values = torch.linalg.svdvals(weight.detach())
    assert values.max() < 0.1 * math.sqrt(3) * 1.4 and values.min() > 0.1 * math.sqrt(3) * 0.5
