"""Stories from pictures, through the real server: the bundled workflows on small random files of
the real format.
"""

import pytest
from PIL import Image

from bench.workflow import load, same_pixels, saved, saved_pixels, substitute, to_api, with_inputs

SIDE = 64
SMALL = 0.035  # megapixels: 144 keys, which count for something beside the 512 of Flux.2's text
KINDS = {"flux2": "flux2", "qwen-image": "qwen-image with sight"}
FAMILIES = {
    "from-a-picture": "flux2",
    "from-a-picture-qwen": "qwen-image",
    "cast-from-pictures": "flux2",
    "hero-first": "flux2",
}

LOADED = {"class_type": "LoadImage", "inputs": {"image": "girl.png"}}
BLACK = {
    "class_type": "EmptyImage",
    "inputs": {"width": SIDE, "height": SIDE, "batch_size": 1, "color": 0},
}


@pytest.fixture(scope="module")
def files(server):
    """Files under the names that the workflows load, by family: made once, emptied in the end."""
    from bench import inprocess

    inprocess.start()
    from bench.toy_parts import write_toy_transformer, write_toy_vae

    made = {}

    def get(family, unet, vae):
        if family not in made:
            models = server.folder / "models"
            made[family] = models / "diffusion_models" / unet, models / "vae" / vae
            write_toy_transformer(made[family][0], family)
            write_toy_vae(made[family][1], family, encodes=True)

    yield get
    for file in (file for pair in made.values() for file in pair):
        file.write_bytes(b"")


@pytest.fixture
def prompt_of(server, client, files):
    from bench.toy_transformers import SHAPES

    def of(name):
        family = FAMILIES[name]
        if family not in SHAPES:
            pytest.skip(f"this ComfyUI has no {family}")
        prompt = to_api(load(name), client.info)
        loads = {item["class_type"]: item["inputs"] for item in prompt.values()}
        files(family, loads["UNETLoader"]["unet_name"], loads["VAELoader"]["vae_name"])
        prompt = substitute(
            prompt,
            "UNETLoader",
            "ToyDiffusionModel",
            {"unet_name": loads["UNETLoader"]["unet_name"]},
        )
        prompt = substitute(prompt, "CLIPLoader", "ToyTextEncoder", {"kind": KINDS[family]})
        prompt = with_inputs(prompt, "StoryReference", megapixels=SMALL)
        if family == "flux2":
            return with_inputs(
                with_inputs(prompt, "PrimitiveInt", value=SIDE), "Flux2Scheduler", steps=2
            )
        return with_inputs(
            with_inputs(prompt, "StoryBatch", width=SIDE, height=SIDE), "KSampler", steps=2
        )

    paint(server, "girl", "red")
    paint(server, "dog", "black")
    return of


def paint(server, name, colour):
    Image.new("RGB", (SIDE, 80), colour).save(server.folder / "input" / f"{name}.png")


def changed(before, after):
    return [
        number
        for number, (a, b) in enumerate(zip(before, after, strict=True), 1)
        if not same_pixels([a], [b])
    ]


@pytest.mark.parametrize("name", ["from-a-picture", "from-a-picture-qwen"])
def test_every_frame_sees_the_picture(server, client, prompt_of, name):
    prompt = with_inputs(prompt_of(name), "StoryBatch", select="2,4")
    before = saved_pixels(prompt, client.run(prompt))
    assert [picture.shape for picture in before] == [(SIDE, SIDE, 3)] * 2
    paint(server, "girl", "white")
    assert changed(before, saved_pixels(prompt, client.run(prompt))) == [1, 2]


def test_each_frame_sees_those_who_are_in_it(server, client, prompt_of):
    """Frame 2 has the girl, frame 3 the dog, frame 5 nobody."""
    prompt = with_inputs(prompt_of("cast-from-pictures"), "StoryBatch", select="2,3,5")
    before = saved_pixels(prompt, client.run(prompt))
    paint(server, "girl", "white")
    with_another_girl = saved_pixels(prompt, client.run(prompt))
    assert changed(before, with_another_girl) == [1]
    paint(server, "dog", "yellow")
    assert changed(with_another_girl, saved_pixels(prompt, client.run(prompt))) == [2]


def test_the_hero_is_the_reference_of_the_others(server, client, prompt_of):
    """The others are the same with the picture that was saved of her, and differ with another in
    its place.
    """
    prompt = prompt_of("hero-first")
    (vision,) = (node for node, item in prompt.items() if item["class_type"] == "CLIPVisionLoader")
    prompt[vision] = {"class_type": "StoryDemoModel", "inputs": {}}
    prompt = with_inputs(prompt, "StoryScore", clip_vision=[vision, 3])
    outputs = client.run(prompt)
    (hero,), others = saved(prompt, outputs, "story/hero"), saved_pixels(prompt, outputs)
    assert len(others) == 4 and len(saved(prompt, outputs, "story/storyboard")) == 1
    (server.folder / "input" / "girl.png").write_bytes(hero)
    loaded, other = (
        {**with_inputs(prompt, "StoryReference", image=["picture", 0]), "picture": item}
        for item in (LOADED, BLACK)
    )
    for each in (loaded, other):
        each.update(with_inputs(each, "StoryBatch", select="2,4"))
    assert same_pixels(saved_pixels(loaded, client.run(loaded)), others[::2])
    assert changed(others[::2], saved_pixels(other, client.run(other))) == [1, 2]
