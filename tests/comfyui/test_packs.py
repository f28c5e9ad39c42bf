"""Other packs themselves beside ours, in either order, where NEIGHBOURS_PATH names a folder with
their checkouts, such as the custom_nodes of a ComfyUI.

`test_neighbours.py` and others hold the same without them, on stand-ins that speak as they do. A
pack that needs packages or a newer ComfyUI, and so does not load, is skipped with its own words.
"""

import os
import sys
import types
from pathlib import Path

import pytest
import torch
from comfy.ldm.modules.attention import attention_basic

from bench.other_packs import Box, IPAdapter, Nag, Reference, Vae
from bench.references import LogBias, bias_form, sites
from bench.studio import Studio, relative
from bench.toy_encoders import WIDTH, toy_encoder
from bench.toy_transformers import toy_transformer
from bench.waiting import wait_for

FOUR = ["in the snow", "at the sea", "in the forest", "in a village"]
ROUNDING = 5e-5
either_order = pytest.mark.parametrize("ours_first", [True, False])


def folder_of(name: str) -> Path:
    """The pack's folder; without one the test is skipped."""
    path = Path(os.environ.get("NEIGHBOURS_PATH", "")) / name
    if not os.environ.get("NEIGHBOURS_PATH") or not path.is_dir():
        pytest.skip(f"NEIGHBOURS_PATH names no folder with {name}")
    return path


@pytest.fixture(scope="module")
def pack_named(pack):
    """pack_named(folder) -> a function that finds that pack's modules by the end of their name."""
    import nodes

    loaded = {}

    def named(folder):
        path = folder_of(folder)
        if folder not in loaded:
            loaded[folder] = wait_for(nodes.load_custom_node(str(path), "custom_nodes"))

        def module(ending):
            root = str(path).replace(".", "_x_")
            for name, found in sys.modules.items():
                if name.startswith(root) and name.endswith(f".{ending}"):
                    return found
            return pytest.skip(f"{folder} does not load here: {ending} is missing")

        return module

    return named


@pytest.fixture(scope="module")
def studio_of(nodes, models):
    """studio_of(shape): four frames on the small model of that shape."""
    made = {}

    def of(shape):
        if shape not in made:
            made[shape] = Studio(nodes, *models(shape), frames=FOUR)
        return made[shape]

    return of


@pytest.fixture(scope="module")
def flux(nodes):
    model = toy_transformer("flux", context_in_dim=WIDTH, vec_in_dim=WIDTH)
    return Studio(nodes, model, toy_encoder("flux"), frames=FOUR)


@pytest.fixture(scope="module")
def ipadapter(pack_named, studio_of):
    return IPAdapter(pack_named("ComfyUI_IPAdapter_plus"), studio_of("sd15"))


@either_order
def test_ipadapter_plus(studio_of, ipadapter, ours_first):
    """Its own output at each attn2, plus attention with the identity's bias less without."""
    s, picture = studio_of("sd15"), ipadapter.pictures[:1]
    alone = ipadapter.on(s.model, picture)
    hosts = alone.model_options["transformer_options"]["patches_replace"]["attn2"]
    bias = LogBias(s.model, s.frames, s.identity_tokens())

    def attend_with(host):
        def attend(q, k, v, options):
            plain = attention_basic(q, k, v, options["n_heads"])
            own = plain if host is None else host(q, k, v, options)
            return own + bias.attend(q, k, v, options) - plain

        return attend

    for place, number, index, _ in sites(bias.model):
        host = hosts.get((place, number))
        bias.model.set_model_attn2_replace(attend_with(host), place, number, index)
    ours = ipadapter.on(s.ipca(), picture) if ours_first else s.ipca(alone)
    assert relative(s.sample(ours), s.sample(bias.model)) < ROUNDING
    for without in (alone, s.ipca()):
        assert relative(s.sample(ours), s.sample(without)) > 100 * ROUNDING, "both must show"


def test_one_ipadapter_picture_per_frame(studio_of, ipadapter):
    """As the help says: a batch of pictures at 0, or a list of pictures, so of models, at 1."""
    s, pictures = studio_of("sd15"), ipadapter.pictures
    (positive, *_), (latent, *_), *_ = s.batch(frames_per_batch=0)
    whole = s.sample(ipadapter.on(s.ipca(), pictures, "IPAdapterEmbedsBatch"), positive, latent)
    each = s.batch(frames_per_batch=1)
    for frame, (positive, latent) in enumerate(zip(*each[:2])):
        own = ipadapter.on(s.ipca(), pictures[frame : frame + 1])
        found = s.sample(own, positive, latent)
        assert relative(found, whole[frame : frame + 1]) < ROUNDING
    other = s.sample(ipadapter.on(s.ipca(), pictures[:1]), positive, latent)
    assert relative(other, found) > 100 * ROUNDING, "the pictures must show"


@either_order
@pytest.mark.parametrize("method", ["Mixture of Diffusers", "MultiDiffusion", "SpotDiffusion"])
def test_tiled_diffusion(pack_named, studio_of, method, ours_first):
    """Its tiles are stacked on the batch, four at once."""
    pack_named("ComfyUI-TiledDiffusion")("tiled_diffusion")
    s = studio_of("sdxl")

    def tiled(model):
        return s.nodes["TiledDiffusion"]().apply(model, method, 64, 64, 32, 4)[0]

    (positive, *_), (latent, *_), *_ = s.batch(frames_per_batch=2, width=128, height=128)
    ours = s.sample(tiled(s.ipca()) if ours_first else s.ipca(tiled(s.model)), positive, latent)
    assert relative(ours, s.sample(tiled(bias_form(s)), positive, latent)) < ROUNDING
    assert relative(ours, s.sample(tiled(s.model), positive, latent)) > 100 * ROUNDING


def test_nag_is_refused_on_a_unet(pack_named, studio_of):
    nag, s = Nag(pack_named("ComfyUI-NAG")), studio_of("sd15")
    (positive, *_), (latent, *_), *_ = s.batch(frames_per_batch=2)
    assert nag.sample(s, s.model, positive, latent).isfinite().all()
    with pytest.raises(ValueError, match="^IPCA Patch - model: ComfyUI-NAG's own sampler node"):
        nag.sample(s, s.ipca(), positive, latent)
    ours = s.sample(s.ipca(), positive, latent)
    assert relative(ours, s.sample(bias_form(s), positive, latent)) < ROUNDING, "it left something"


def test_nag_in_a_transformer_keeps_ipca_away_aloud(pack_named, flux, warnings_of):
    nag, s = Nag(pack_named("ComfyUI-NAG")), flux
    (positive, *_), (latent, *_), *_ = s.batch(frames_per_batch=1)
    ours = nag.sample(s, s.ipca(), positive, latent)
    assert torch.equal(ours, nag.sample(s, s.model, positive, latent))
    assert sum("strengthened nowhere in this run" in line for line in warnings_of()) == 1


@pytest.fixture(scope="module")
def sage(pack_named, nodes):
    """KJNodes' patch; its kernel, which a CPU has not, is PyTorch's attention that drops masks."""
    kernel = types.ModuleType("sageattention")

    def sageattn(q, k, v, is_causal=False, attn_mask=None, tensor_layout="NHD"):
        if tensor_layout == "NHD":
            q, k, v = (each.transpose(1, 2) for each in (q, k, v))
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return out.transpose(1, 2) if tensor_layout == "NHD" else out

    kernel.sageattn = sageattn
    sys.modules["sageattention"] = kernel
    module = pack_named("ComfyUI-KJNodes")("model_optimization_nodes")
    yield lambda model: module.PathchSageAttentionKJ().patch(model, "auto")[0]
    del sys.modules["sageattention"]


@either_order
@pytest.mark.parametrize("strength", [1.0, 5.0])
@pytest.mark.parametrize("shape", ["sd15", "flux"])
def test_kjnodes_sage_attention(sage, studio_of, flux, shape, strength, ours_first):
    s = flux if shape == "flux" else studio_of(shape)
    (positive, *_), (latent, *_), *_ = s.batch(frames_per_batch=1)
    ours = (
        sage(s.ipca(strength=strength)) if ours_first else s.ipca(sage(s.model), strength=strength)
    )
    with_mask = s.sample(s.ipca(strength=strength), positive, latent)
    effect = relative(with_mask, s.sample(s.model, positive, latent))
    # It computes in half precision.
    assert relative(s.sample(ours, positive, latent), with_mask) < min(3e-3, effect / 3)


@either_order
def test_teacache_keeps_ipca_away_aloud(pack_named, flux, warnings_of, ours_first):
    cache, s = pack_named("ComfyUI-TeaCache")("nodes").TeaCache, flux

    def cached(model):
        return cache().apply_teacache(model, "flux", 0.4, 0.0, 1.0, "cpu")[0]

    (positive, *_), (latent, *_), *_ = s.batch(frames_per_batch=1)
    ours = cached(s.ipca()) if ours_first else s.ipca(cached(s.model))
    found = s.sample(ours, positive, latent, cfg=1.0)
    assert torch.equal(found, s.sample(cached(s.model), positive, latent, cfg=1.0))
    assert sum("strengthened nowhere in this run" in line for line in warnings_of()) == 1


def alone(conditioning, frame):
    """One frame of the story's conditioning, by hand."""
    ((cond, extra),) = conditioning
    kept = {
        key: value[frame : frame + 1]
        if torch.is_tensor(value) or isinstance(value, tuple)
        else value
        for key, value in extra.items()
    }
    return [[cond[frame : frame + 1], kept]]


@pytest.mark.parametrize("kind", ["reference_attn", "reference_adain"])
def test_advanced_controlnets_reference_follows_its_frame(pack_named, studio_of, monkeypatch, kind):
    reference = Reference(pack_named("ComfyUI-Advanced-ControlNet"), monkeypatch)
    s = studio_of("sd15")
    pictures = torch.rand(4, 64, 64, 3, generator=torch.Generator().manual_seed(3))
    noise = {"samples": torch.zeros(1, 4, 8, 8), "batch_index": [0]}

    def single(frame, picture):
        both = reference.apply(
            alone(s.frames, frame), s.negative, pictures[picture : picture + 1], kind
        )
        return s.sample(s.ipca(), both[0], noise, both[1])

    frames, negative = reference.apply(s.frames, s.negative, pictures, kind)
    expected = single(1, 1)
    assert relative(expected, single(1, 0)) > 20 * ROUNDING, "the pictures must show"
    for select, at_once, place in (("", 1, 1), ("", 4, 1), ("2", 1, 0)):
        positives, latents, _, negatives, _ = s.batch(
            frames=frames, negative=negative, select=select, frames_per_batch=at_once
        )
        batch, row = divmod(place, at_once)
        found = s.sample(s.ipca(), positives[batch], latents[batch], negatives[batch])
        assert relative(found[row : row + 1], expected) < ROUNDING
    with pytest.raises(ValueError, match="its ControlNet has 3 pictures for 4 frames"):
        s.batch(frames=reference.apply(s.frames, s.negative, pictures[:3], kind)[0])


@pytest.fixture(scope="module")
def face_detailer(pack_named, studio_of):
    """face_detailer(pictures, positive, model, seed): Impact-Pack's FaceDetailer with that box."""
    import asyncio

    folder_of("ComfyUI-Impact-Pack")
    sys.modules.setdefault("impact.subpack_nodes", types.ModuleType("impact.subpack_nodes"))
    sys.path.insert(0, os.environ["COMFYUI_PATH"])  # its `utils` before comfy's, as in main.py
    import server

    if not hasattr(server.PromptServer, "instance"):
        server.PromptServer(asyncio.new_event_loop())  # the pack adds routes to it
    pack_named("ComfyUI-Impact-Pack")("impact_pack")
    core, s = sys.modules["impact.core"], studio_of("sd15")

    def detail(pictures, positive, model, seed=7):
        detector, sampler = Box(core), ("euler", "normal", positive, s.negative, 1.0)
        faces, sam = (0.5, 0, 1.5), ("center-1", 0, 0.93, 0, 0.7, "False", 4)
        sizes, steps = (64, True, 128), (seed, 2, 4.0)
        given = (*sizes, *steps, *sampler, 5, True, True, *faces, *sam, detector, "")
        return s.nodes["FaceDetailer"]().doit(pictures, model, s.clip, Vae(), *given)[0]

    return detail


def test_impact_packs_detailer_gives_each_face_its_own_words(face_detailer, studio_of):
    """At one frame per batch, in the graph of Story Batch's help; after a larger batch all faces
    get the words of frame 1, as the help says.
    """
    s = studio_of("sd15")
    pictures = torch.rand(4, 64, 64, 3, generator=torch.Generator().manual_seed(2))
    of_batch = 1 / 255 + 1e-4  # it scales pictures in eight bits
    positives = s.batch(frames_per_batch=1)[0]
    for frame in (0, 2):
        picture = pictures[frame : frame + 1]
        ours = face_detailer(picture, positives[frame], s.ipca())
        by_hand = face_detailer(picture, alone(s.frames, frame), bias_form(s))
        assert float((ours - by_hand).abs().max()) < of_batch
    others = face_detailer(picture, positives[0], s.ipca())
    assert float((ours - others).abs().max()) > 10 * of_batch, "the words must show"
    (batch, *_), *_ = s.batch(frames_per_batch=4)
    late = face_detailer(pictures, batch, s.ipca())  # its seed counts up
    first = face_detailer(pictures[2:3], positives[0], s.ipca(), seed=9)
    assert float((late[2:3] - first).abs().max()) < of_batch
