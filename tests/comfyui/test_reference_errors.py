"""Pictures, names, VAEs and models that do not go together: each is refused with what to do."""

import pytest
import torch

from bench.reference_scene import DOG, GIRL, ReferenceScene
from bench.toy_encoders import KINDS, toy_encoder
from bench.toy_transformers import toy_transformer
from bench.toy_vae import LinearVae


@pytest.fixture(scope="module")
def flux(nodes):
    return ReferenceScene("flux", nodes)


ERRORS = {
    "no picture": ({"image": torch.zeros(0, 64, 64, 3)}, "image: it has no picture. Connect"),
    "transparent": (
        {"image": torch.zeros(1, 64, 64, 4)},
        "image: the picture has transparency (an alpha channel). Connect the IMAGE of Load Image",
    ),
    "grey": (
        {"image": torch.zeros(1, 64, 64, 1)},
        "image: the picture has 1 channels. Connect a colour picture",
    ),
    "second too small": (
        {"image": torch.zeros(1, 16, 640, 3)},
        "image: the picture is 640x16 pixels, too small to show a character. Use",
    ),
    "unknown": (
        {"character": "@cat"},
        "character: @cat is unknown. The cast is @girl, @dog; empty is for every frame.",
    ),
    "megapixels": (
        {"megapixels": 99.0},
        "megapixels: 99.0 is outside 0 to 16. 1 is what ComfyUI's own edit nodes take",
    ),
    "no VAE": (
        {"vae": object()},
        "vae: expected a VAE, received object. Connect the VAE of a loader",
    ),
    "another VAE": (
        {"vae": LinearVae(4)},
        "vae: its latents have 4 channels, those of the story's other references 16. Give",
    ),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_say_what_to_do(flux, kind):
    changed, said = ERRORS[kind]
    story = flux.refer(flux.story, GIRL)
    with pytest.raises(ValueError) as error:
        flux.refer(story, **{"image": GIRL, "character": "girl", **changed})
    assert str(error.value).startswith(f"Story Reference - {said}")


def test_a_character_that_no_frame_has_and_a_story_without_a_cast(flux):
    story = flux.prompt(flux.identity, ["@girl feeding ducks"])
    with pytest.raises(
        ValueError,
        match=(
            "^Story Reference - character: no frame has @dog, so no frame would see the picture."
            " Write @dog into"
        ),
    ):
        flux.refer(story, DOG, "dog")
    with pytest.raises(
        ValueError,
        match=(
            "^Story Reference - character: 'dog' is unknown: the story names no character. Leave"
            " it empty"
        ),
    ):
        flux.refer(flux.prompt("a dog", ["at the pond"]), DOG, "dog")


@pytest.mark.parametrize("name", ["girl", "@girl", " @GIRL ", "Girl"])
def test_a_name_is_known_with_and_without_its_at(flux, name):
    assert len(flux.refer(flux.story, GIRL, name).references_of(0)) == 1


def test_a_model_that_reads_no_references_names_ipadapter(flux, studio):
    unet, story = studio("sdxl"), flux.refer(flux.story, GIRL)
    for call in (
        lambda: unet.ipca(story=story),
        lambda: flux.batch(story, flux.svr(story), model=unet.model),
    ):
        with pytest.raises(
            ValueError,
            match=r"(IPCA Patch|Story Batch) - model: SDXL reads no reference pictures.* IPAdapter",
        ):
            call()
    with pytest.raises(
        ValueError,
        match=r"^SVR Reweight - clip: it is of SDXL, which reads no reference pictures.* IPAdapter",
    ):
        unet.svr(story)
    if "z-image" in KINDS:  # Klein 4B has the same text encoder, and another tokenizer
        with pytest.raises(
            ValueError,
            match=(
                r"^SVR Reweight - clip: it is of Z-Image and Flux.2 Klein 4B, which reads no .*"
                r" IPAdapter"
            ),
        ):
            unet.svr(story, clip=toy_encoder("z-image"))
    with pytest.raises(
        ValueError, match=r"^IPCA Patch - model: Chroma reads no reference pictures"
    ):
        flux.ipca(toy_transformer("chroma"), story)


def test_references_by_the_vae_of_another_model(flux):
    story = flux.refer(flux.story, GIRL, vae=LinearVae(4))
    said = (
        "story: its references have 4 channels but the model's latents have 16. Give Story"
        " Reference the VAE of this model."
    )
    for node, call in (
        ("IPCA Patch", lambda: flux.ipca(story=story)),
        ("Story Batch", lambda: flux.batch(story, flux.svr(story), model=flux.model)),
    ):
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value) == f"{node} - {said}"


def test_nodes_with_other_references_and_a_sampler_without_story_batch(flux):
    story = flux.refer(flux.story, GIRL, "girl")
    for told, frames in (
        (story, flux.frames),
        (flux.story, flux.svr(story)),
        (flux.refer(story, DOG), flux.svr(story)),
    ):
        with pytest.raises(
            ValueError,
            match=(
                "^Story Batch - story: its references are not those of the frames. Connect the"
                " story of the last"
            ),
        ):
            flux.batch(told, frames)
    with pytest.raises(
        ValueError,
        match=(
            "^IPCA Patch - story: a frame is sampled without the pictures of its cast. Connect SVR"
            " Reweight's"
        ),
    ):
        flux.ksampler(
            flux.svr(story),
            {"samples": torch.zeros(5, 16, 8, 8)},
            flux.negative,
            model=flux.ipca(story=story),
        )
    positives, latents, *_ = flux.batch(
        story, flux.svr(story), frames_per_batch=1, select="1", model=flux.model
    )
    zeroed = flux.core("ConditioningZeroOut", conditioning=flux.svr(story))
    assert (
        flux.ksampler(positives[0], latents[0], zeroed, model=flux.ipca(story=story))
        .isfinite()
        .all()
    )
