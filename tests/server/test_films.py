"""What people do with a story's pictures, by core's own nodes on a real server: films, second
passes, files, data sets.

The reference is always each frame separately, or the files themselves.
"""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from bench.workflow import load, same_pixels, saved_pixels, to_api, with_inputs

SEVEN = [f"in place {number}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def run(server, client):
    """Runs a prompt. Returns the files that it wrote, by their names in the output folder, and the
    outputs.

    (Nothing is deleted: ComfyUI does not save again what has not changed.)
    """
    folder = server.folder / "output"

    def written():
        return {(file, file.stat().st_mtime_ns) for file in folder.rglob("*.*")}

    def run(prompt):
        before = written()
        outputs = client.run(prompt)
        new = sorted(file for file, _ in written() - before)
        return {str(file.relative_to(folder)): file for file in new}, outputs

    return run


@pytest.fixture(scope="module")
def info(client):
    return client.info


def names_in(files):
    """Without the counter that ComfyUI appends."""
    return [name[: -len("_00001_.png")] for name in files]


def pixels(file):
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


def node_of(prompt, class_type):
    (name,) = (name for name, found in prompt.items() if found["class_type"] == class_type)
    return name


def with_nodes(prompt, **nodes):
    return {
        **prompt,
        **{name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()},
    }


@pytest.fixture(scope="module")
def seven(story_prompt):
    """Seven frames on the small random model, without a storyboard."""
    (board,) = (
        name
        for name, found in story_prompt.items()
        if found["inputs"].get("filename_prefix") == "story/storyboard"
    )
    frames = {
        name: found
        for name, found in story_prompt.items()
        if name not in (board, node_of(story_prompt, "StorySheet"))
    }
    return with_inputs(
        with_inputs(frames, "StoryPrompt", frames="\n".join(SEVEN)), "KSampler", steps=2
    )


@pytest.fixture(scope="module")
def film(run, info):
    """The bundled story-film with another seed and fewer steps, the files that it saved, and its
    four frames in order.
    """
    prompt = with_inputs(to_api(load("story-film"), info), "KSampler", seed=19, steps=6)
    files, _ = run(prompt)
    frames = {name: file for name, file in files.items() if "/frame-" in name}
    assert names_in(frames) == [f"story/frame-00{number}" for number in range(1, 5)]
    return prompt, files, list(map(pixels, frames.values()))


def test_a_story_is_one_film_and_one_video(film):
    import av

    _, files, frames = film
    (picture,) = (file for name, file in files.items() if name.startswith("story/film_"))
    (video,) = (file for name, file in files.items() if name.endswith(".mp4"))
    assert len(files) == 6
    opened = Image.open(picture)
    assert opened.n_frames == 4 and opened.info["duration"] == 1000
    shown = [
        np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(opened)
    ]
    assert same_pixels(shown, frames)
    with av.open(str(video)) as opened:
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in opened.decode(video=0)]
    assert len(shown) == 4
    for number, picture in enumerate(shown):
        distances = [np.abs(picture - frame).mean() for frame in frames]
        assert distances[number] == min(distances) < 12, "it is compressed, but no other frame"


@pytest.mark.parametrize(
    "select, at_once, expected",
    [
        ("3", 1, [("frame-003", 3)]),
        ("2-4", 2, [("frame-004", 4), ("frames-002-003", 2), ("frames-002-003", 3)]),
    ],
)
def test_files_have_their_frames_numbers(run, film, select, at_once, expected):
    prompt, _, frames = film
    files, _ = run(with_inputs(prompt, "StoryBatch", select=select, frames_per_batch=at_once))
    found = {name: file for name, file in files.items() if "/frame" in name}
    assert names_in(found) == [f"story/{name}" for name, _ in expected]
    assert same_pixels(
        list(map(pixels, found.values())), [frames[frame - 1] for _, frame in expected]
    )


def second_pass(prompt):
    """Behind the first pass: each picture enlarged, and a KSampler with Story Batch's positive."""
    sampler, decode, batch = (
        node_of(prompt, kind) for kind in ("KSampler", "VAEDecode", "StoryBatch")
    )
    again = {
        **prompt[sampler]["inputs"],
        "positive": [batch, 0],
        "latent_image": ["encoded", 0],
        "denoise": 0.6,
    }
    vae = prompt[decode]["inputs"]["vae"]
    larger = {
        "image": [decode, 0],
        "upscale_method": "nearest-exact",
        "width": 192,
        "height": 192,
        "crop": "disabled",
    }
    nodes = {
        "larger": ("ImageScale", larger),
        "encoded": ("VAEEncode", {"pixels": ["larger", 0], "vae": vae}),
    }
    nodes |= {
        "again": ("KSampler", again),
        "shown": ("VAEDecode", {"samples": ["again", 0], "vae": vae}),
    }
    return with_inputs(with_nodes(prompt, **nodes), "SaveImage", images=["shown", 0])


def test_a_second_pass_gives_each_picture_its_own_words(run, seven):
    prompt = second_pass(seven)
    whole = saved_pixels(prompt, run(prompt)[1])
    assert len(whole) == 7 and whole[0].shape == (192, 192, 3)
    for frame in (2, 7):
        one = with_inputs(prompt, "StoryBatch", select=str(frame))
        assert same_pixels(saved_pixels(one, run(one)[1]), [whole[frame - 1]])


def test_the_bundled_second_pass_is_each_frame_alone(run, info):
    prompt = with_inputs(to_api(load("second-pass"), info), "KSampler", steps=4)
    whole = saved_pixels(prompt, run(prompt)[1])
    assert len(whole) == 4 and all(picture.shape == (256, 256, 3) for picture in whole)
    alone = with_inputs(prompt, "StoryBatch", select="3")
    assert same_pixels(saved_pixels(alone, run(alone)[1]), whole[2:3])


def test_three_seeds_as_a_list(run, seven):
    """Every frame with every seed, through a second pass picture by picture, as new nodes are."""
    batch = node_of(seven, "StoryBatch")
    prompt = with_nodes(second_pass(seven), seeds=("ToySeeds", {"seeds": "1,2,3"}))
    prompt = with_inputs(prompt, "StoryBatch", seeds=["seeds", 0], frames_per_batch=1)
    shown = saved_pixels(prompt, run(with_inputs(prompt, "KSampler", seed=[batch, 6]))[1])
    assert len(shown) == 21
    for seed in (1, 3):
        alone = with_inputs(second_pass(seven), "KSampler", seed=seed)
        assert same_pixels(shown[7 * (seed - 1) : 7 * seed], saved_pixels(alone, run(alone)[1]))


def test_captions_name_the_files(run, seven):
    plain = saved_pixels(seven, run(seven)[1])
    files, _ = run(
        with_inputs(seven, "SaveImage", filename_prefix=[node_of(seven, "StoryBatch"), 2])
    )
    assert names_in(files) == SEVEN
    assert same_pixels(list(map(pixels, files.values())), plain)


def test_a_data_set_of_one_character(run, info):
    workflow = load("lora-dataset")
    if missing := {node["type"] for node in workflow["nodes"]} - {"MarkdownNote"} - set(info):
        pytest.skip(f"this ComfyUI has no {', '.join(missing)}")
    prompt = with_inputs(to_api(workflow, info), "KSampler", steps=1)
    (story,) = (
        found["inputs"] for found in prompt.values() if found["class_type"] == "StoryPrompt"
    )
    shown = with_nodes(
        prompt,
        shown=(
            "SaveImage",
            {"images": [node_of(prompt, "VAEDecode"), 0], "filename_prefix": "story/frame"},
        ),
    )
    files, outputs = run(shown)
    data = {name: file for name, file in files.items() if name.startswith("story/lora-dataset/")}
    assert len(data) == 40
    for number, (frame, picture) in enumerate(
        zip(story["frames"].split("\n"), saved_pixels(shown, outputs), strict=True)
    ):
        name = f"story/lora-dataset/bluerabbit_{number:05}"
        assert data[f"{name}.txt"].read_text(encoding="utf-8") == f"bluerabbit, {frame}"
        assert same_pixels([pixels(data[f"{name}.png"])], [picture])
