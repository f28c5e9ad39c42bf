"""SVR Reweight on real tokenizers and real CLIP classes, against rows counted and reweighted
separately.
"""

import comfy.hooks
import pytest
import torch

from bench.references import published_svr
from bench.studio import FRAMES

TOWERS = {
    "sdxl": {"clip_l": slice(0, 32), "clip_g": slice(32, 96)},
    "sd15": {"clip_l": slice(0, 32)},
    "sd2": {"clip_h": slice(0, 64)},
}


@pytest.fixture(params=["sdxl", "sd15", "sd2"])
def shape(request):
    return request.param


@pytest.fixture
def s(studio, shape):
    return studio(shape)


def count(s, text):
    """How many tokens a plain text has, by the Hugging Face tokenizer itself."""
    tower = next(
        getattr(s.clip.tokenizer, name)
        for name in ("clip_l", "clip_h")
        if hasattr(s.clip.tokenizer, name)
    )
    return len(tower.tokenizer(text)["input_ids"]) - 2


def expected(s, shape, encoding, phrase_sizes, frame, mode="svr"):
    """The paper's SVR on one frame, with rows counted from the phrases' sizes. One chunk of 77."""
    starts = [1 + sum(phrase_sizes[:index]) for index in range(len(phrase_sizes) + 1)]
    spans = [list(range(start, stop)) for start, stop in zip(starts, starts[1:])]
    ends = list(range(starts[-1], 77))
    out = encoding.clone()
    for columns in TOWERS[shape].values():
        out[:, columns] = published_svr(
            encoding[:, columns], spans[1:], frame, ends, eot_apart=mode == "svr-eot"
        )
    return out


@pytest.mark.parametrize("mode", ["svr", "svr-eot"])
def test_every_frame_of_a_shared_prompt(s, shape, mode):
    sizes = [count(s, text) for text in (s.identity, *FRAMES)]
    encoding = s.encode(" ".join((s.identity, *FRAMES)))[0][0][0]
    frames = s.svr(mode=mode)[0][0]
    assert frames.shape == (3, 77, encoding.shape[-1])
    for frame in range(3):
        torch.testing.assert_close(
            frames[frame], expected(s, shape, encoding, sizes, frame, mode), rtol=1e-4, atol=1e-4
        )


def test_windows_shrink_to_what_fits_and_wrap_round(s, shape):
    texts = [f"frame {'a b c ' * 7}{name}" for name in ("one", "two", "three")]  # 23 tokens each
    sizes = [count(s, text) for text in (s.identity, *texts)]
    assert sizes[0] + sum(sizes[1:3]) <= 75 < sum(sizes)
    frames = s.svr(s.prompt(s.identity, texts))[0][0]
    for frame in range(3):
        window = [texts[frame], texts[(frame + 1) % 3]]
        encoding = s.encode(" ".join((s.identity, *window)))[0][0][0]
        torch.testing.assert_close(
            frames[frame],
            expected(
                s, shape, encoding, [sizes[0], sizes[1 + frame], sizes[1 + (frame + 1) % 3]], 0
            ),
            rtol=1e-4,
            atol=1e-4,
        )


@pytest.mark.parametrize(
    "identity, texts",
    [
        ("a fox", ["a fox", "a fox in snow", "snow"]),  # phrases repeat and contain one another
        (
            "a fox, red!",
            ["... what?", 'it\'s 3:30; "go"', "-- (no) --"],
        ),  # punctuation; the parentheses are emphasis
        ("une fée à l'épée", ["在雪地里玩耍", "🦊🦊 в лесу", "نص عربي"]),  # non-ASCII
    ],
)
def test_spans_hold_whatever_the_texts_say(s, shape, identity, texts):
    plain = [text.replace("(no)", "no") for text in texts]
    sizes = [count(s, text) for text in (identity, *plain)]
    encoding = s.encode(" ".join((identity, *texts)))[0][0][0]
    frames = s.svr(s.prompt(identity, texts))[0][0]
    for frame in range(3):
        torch.testing.assert_close(
            frames[frame], expected(s, shape, encoding, sizes, frame), rtol=1e-4, atol=1e-4
        )


def test_emphasis_and_embeddings(nodes, models, shape, tmp_path):
    from safetensors.torch import save_file

    from bench.studio import Studio
    from bench.toy_models import toy_clip

    widths = {name: columns.stop - columns.start for name, columns in TOWERS[shape].items()}
    save_file(
        {name: torch.ones(3, width) for name, width in widths.items()},
        tmp_path / "hero.safetensors",
    )
    s = Studio(nodes, models(shape)[0], toy_clip(shape, embedding_directory=str(tmp_path)))
    story = s.prompt(
        "(a red fox:1.3) embedding:hero", ["with a (big (hat:1.2))", "embedding:hero again"]
    )
    sizes = [count(s, "a red fox") + 3, count(s, "with a big hat"), 3 + count(s, "again")]
    encoding = s.encode(
        "(a red fox:1.3) embedding:hero with a (big (hat:1.2)) embedding:hero again"
    )[0][0][0]
    frames = s.svr(story)[0][0]
    for frame in range(2):
        torch.testing.assert_close(
            frames[frame], expected(s, shape, encoding, sizes, frame), rtol=1e-4, atol=1e-4
        )


def test_prompts_of_several_chunks(s, shape):
    """Two frames, each over 75 tokens with the identity: phrase rows skip the chunk border, all
    chunks' ends go along.
    """
    texts = ["in a meadow " * 30, "in the deep snow " * 20]
    n0, n1 = count(s, s.identity), count(s, texts[0])
    frames = s.svr(s.prompt(s.identity, texts))[0][0]
    encoding = s.encode(f"{s.identity} {texts[0].strip()}")[0][0][0]
    assert encoding.shape[0] == 154
    content = [*range(1, 76), *range(78, 153)][: n0 + n1]
    ends = [76, *range(content[-1] + 1, 154)]
    for columns in TOWERS[shape].values():
        reweighted = published_svr(encoding[:, columns], [content[n0:]], 0, ends, eot_apart=False)
        torch.testing.assert_close(frames[0, :, columns], reweighted, rtol=1e-4, atol=1e-4)


def test_frames_of_different_lengths_are_repeated_whole(s):
    texts = ["in a meadow " * 30, "snow"]
    frames = s.svr(s.prompt(s.identity, texts), mode="original")[0][0]
    long, short = (
        s.encode(f"{s.identity} {texts[0].strip()}")[0][0],
        s.encode(f"{s.identity} {texts[1]}")[0][0],
    )
    assert torch.equal(frames[:1], long)
    assert torch.equal(frames[1:], torch.cat([short, short], dim=1))


def test_original_is_clip_text_encode_of_the_joined_prompt(s):
    whole = s.encode(" ".join((s.identity, *FRAMES)))[0]
    frames = s.svr(mode="original")[0]
    assert torch.equal(frames[0], whole[0].expand(3, -1, -1))
    assert torch.equal(frames[1]["pooled_output"], whole[1]["pooled_output"].expand(3, -1))


def test_pooled_zero(s):
    assert s.svr(pooled="keep")[0][1]["pooled_output"].abs().sum() > 0
    assert not s.svr(pooled="zero")[0][1]["pooled_output"].any()


def test_each_distinct_prompt_is_encoded_once(s, monkeypatch):
    texts = []
    plain = type(s.clip).encode_from_tokens_scheduled
    monkeypatch.setattr(
        type(s.clip),
        "encode_from_tokens_scheduled",
        lambda self, tokens, **more: texts.append(1) or plain(self, tokens, **more),
    )
    s.svr()
    assert len(texts) == 1
    s.svr(s.prompt(s.identity, FRAMES, window_length=2))
    assert len(texts) == 1 + 3


def test_progress_and_interruption(s, monkeypatch):
    import comfy.model_management
    import comfy.utils

    seen = []
    monkeypatch.setattr(
        comfy.utils,
        "PROGRESS_BAR_HOOK",
        lambda value, total, *args, **kwargs: seen.append((value, total)),
    )
    s.svr(s.prompt(s.identity, FRAMES, window_length=2))
    assert (
        seen[0] == (1, 3) and seen[-1] == (3, 3) and set(seen) <= {(1, 3), (2, 3), (3, 3)}
    )  # newer cores leave out what comes too fast
    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        s.svr()
    s.svr()  # the next run is not interrupted any more


def test_clip_skip_is_respected(s, nodes):
    skipped = nodes["CLIPSetLastLayer"]().set_last_layer(s.clip, -3)[0]
    frames = s.svr(clip=skipped, mode="original")[0][0]
    whole = skipped.encode_from_tokens(skipped.tokenize(" ".join((s.identity, *FRAMES))))
    assert torch.equal(frames[:1], whole)
    assert not torch.equal(frames, s.svr(mode="original")[0][0])


def lora_for(s, strength):
    """A LoRA hook on one weight of the text encoder, as Create Hook LoRA makes it from a file."""
    key, weight = next(
        (key, weight)
        for key, weight in s.clip.cond_stage_model.state_dict().items()
        if key.endswith("q_proj.weight")
    )
    group = comfy.hooks.HookGroup()
    hook = comfy.hooks.WeightHook(strength_model=0.0, strength_clip=strength)
    hook.weights_clip = {key: ("diff", (torch.full_like(weight, 0.3),))}
    hook.need_weight_init = False
    group.add(hook)
    return group


def test_a_lora_on_the_clip_is_respected(s):
    clip = s.clip.clone()
    key, weight = next(
        (key, weight)
        for key, weight in s.clip.cond_stage_model.state_dict().items()
        if key.endswith("q_proj.weight")
    )
    clip.add_patches({key: ("diff", (torch.full_like(weight, 0.3),))}, 1.0, 1.0)
    prompt = " ".join((s.identity, *FRAMES))
    whole = clip.encode_from_tokens(clip.tokenize(prompt))
    frames = s.svr(clip=clip, mode="original")[0][0]
    assert torch.equal(frames[:1], whole)
    assert not torch.equal(whole, s.encode(prompt)[0][0])


def test_a_scheduled_clip_gives_one_entry_a_range(s, nodes):
    hooks = lora_for(s, 1.0)
    keyframes = nodes["CreateHookKeyframe"]().create_hook_keyframe(
        strength_mult=0.2, start_percent=0.5
    )[0]
    hooks = nodes["SetHookKeyframes"]().set_hook_keyframes(hooks, keyframes)[0]
    clip = nodes["SetClipHooks"]().apply_hooks(
        s.clip, schedule_clip=True, apply_to_conds=True, hooks=hooks
    )[0]
    stock = clip.encode_from_tokens_scheduled(clip.tokenize(" ".join((s.identity, *FRAMES))))
    frames = s.svr(clip=clip, mode="original")
    assert len(frames) == len(stock) == 2
    for (cond, extra), (stock_cond, stock_extra) in zip(frames, stock):
        assert torch.equal(cond[:1], stock_cond) and cond.shape[0] == 3
        for key in ("clip_start_percent", "clip_end_percent", "hooks"):
            assert extra.get(key) == stock_extra.get(key)
    assert not torch.equal(frames[0][0], frames[1][0])
