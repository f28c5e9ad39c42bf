"""Stories on models that come in parts, through the real server: the bundled workflows on small
random files.

The VAEs are files of the real format for ComfyUI's own loader, except Qwen-Image 2.1's, which older
ComfyUI does not know. ToyDiffusionModel reads a file with the real names of weights and
ToyTextEncoder makes the real class: ComfyUI's loaders take sizes from the family, not from the
file, and know none so small.
"""

import pytest

from bench.workflow import load, same_pixels, saved, saved_pixels, substitute, to_api, with_inputs

SIDE = 64
FAMILIES = {
    "qwen-image-story": "qwen-image",
    "qwen-image-21-story": "qwen-image-2.1",
    "z-image-story": "z-image",
    "flux2-story": "flux2",
    "krea2-story": "krea2",
    "anima-story": "anima",
}


@pytest.fixture(scope="module", params=FAMILIES)
def prompt(request, server, client):
    """The bundled workflow with its sampler, scheduler and guider, on small files under the names
    that it loads.
    """
    from bench import inprocess

    inprocess.start()
    from bench.toy_parts import has_family, write_toy_transformer, write_toy_vae

    if not has_family(FAMILIES[request.param]):
        pytest.skip(f"this ComfyUI has no {FAMILIES[request.param]}")
    family, models = FAMILIES[request.param], server.folder / "models"
    prompt = to_api(load(request.param), client.info)
    files = {item["class_type"]: item["inputs"] for item in prompt.values()}
    unet, vae = files["UNETLoader"]["unet_name"], files["VAELoader"]["vae_name"]
    write_toy_transformer(models / "diffusion_models" / unet, family)
    if family == "qwen-image-2.1":  # its pictures have a fourth channel, opacity
        whole = {"channels": 64, "pixels": 16, "colours": 4}
        prompt = substitute(prompt, "VAELoader", "ToyLinearVAE", whole)
    else:
        write_toy_vae(models / "vae" / vae, family)
    prompt = substitute(prompt, "UNETLoader", "ToyDiffusionModel", {"unet_name": unet})
    prompt = substitute(prompt, "CLIPLoader", "ToyTextEncoder", {"kind": family})
    if family == "flux2":
        yield with_inputs(
            with_inputs(prompt, "PrimitiveInt", value=SIDE), "Flux2Scheduler", steps=2
        )
    else:
        yield with_inputs(
            with_inputs(prompt, "StoryBatch", width=SIDE, height=SIDE), "KSampler", steps=2
        )
    for file in (models / "diffusion_models" / unet, models / "vae" / vae):
        file.write_bytes(b"")


def test_a_story_of_the_size_that_was_asked_for(client, prompt):
    """The VAE's pictures have as many pixels as Story Batch was told: its latents are the model's
    own.
    """
    outputs = client.run(prompt)
    whole = saved_pixels(prompt, outputs)
    assert [picture.shape for picture in whole] == [(SIDE, SIDE, 3)] * 4 and len(
        saved(prompt, outputs, "story/storyboard")
    ) == 1
    for index, picture in enumerate(whole):
        assert not any(same_pixels([picture], [other]) for other in whole[:index])
    alone = with_inputs(prompt, "StoryBatch", select="3")
    assert same_pixels(saved_pixels(alone, client.run(alone)), whole[2:3]), (
        "a frame is the same alone"
    )
    for node, inputs in (("IPCAPatch", {"strength": 0.0}), ("StoryBatch", {"noise": "per frame"})):
        other = with_inputs(alone, node, **inputs)
        assert not same_pixels(saved_pixels(other, client.run(other)), whole[2:3]), (
            f"{node} makes a difference"
        )
