"""SVR Reweight on the text encoders of transformers: ComfyUI's own classes and tokenizers, random
weights.
"""

import pytest
import torch

from bench.encoder_rows import (
    ENDS,
    LLAMA,
    LOST,
    ROWS,
    blocks,
    layers,
    phrases_of,
    read,
    reference,
    tokens_in,
)
from bench.studio import FRAMES, Studio, defaults_of
from bench.toy_encoders import KINDS, toy_encoder

LLMS = [
    kind
    for kind in KINDS
    if kind not in ("flux", "chroma") and not kind.startswith(("sd3", "hidream"))
]
T5S = ["flux", "chroma"]
READ = [kind for kind in KINDS if kind not in LOST]
TEXTS = [
    ("A photo of a red fox with a green coat", FRAMES),
    ("a fox, red!", ["a fox", "... what? it's 3:30", "go"]),
    ("une fée à l'épée", ["in the snow", "fox", "fox fox"]),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("identity, frames", TEXTS, ids=["plain", "punctuation", "accents"])
def test_the_tokens_of_a_phrases_columns_say_the_phrase(encoder_studio, kind, identity, frames):
    s = encoder_studio(kind)
    phrases = [identity, *frames]
    cond, extra = s.svr(s.prompt(identity, frames), mode="original")[0]
    for key, first, last, _, ids in blocks(s.clip, kind, " ".join(phrases), cond):
        for row in extra[ROWS]:
            assert (row.length, row.padded) == (cond.shape[1], True)
            for phrase, columns in zip(phrases, phrases_of(row, key == "llama"), strict=True):
                said = read(
                    s.clip,
                    key,
                    [ids[column - first] for column in columns if first <= column < last],
                )
                # CLIP's decoding knows only small letters and separates words
                assert (
                    said == phrase
                    if key not in ("l", "g")
                    else said.replace(" ", "") == phrase.lower().replace(" ", "")
                )


@pytest.mark.parametrize("kind", [*LLMS, "hidream"])
def test_a_causal_encoder_gives_every_frame_the_same_identity(encoder_studio, kind, caplog):
    s = encoder_studio(kind)
    llama = kind == "hidream"
    entry = s.svr(s.prompt(s.identity, FRAMES, window_length=1), mode="original")[0]
    phrases = [phrases_of(row, llama) for row in entry[1][ROWS]]
    assert len({own[0] for own in phrases}) == 1 and len(set(phrases)) > 1
    for text in layers(entry, llama):
        identities = [text[number, list(own[0])] for number, own in enumerate(phrases)]
        for identity in identities[1:]:
            torch.testing.assert_close(identity, identities[0], rtol=1e-5, atol=1e-5)
        behind = [text[number, own[1][0]] for number, own in enumerate(phrases)]
        assert all((one - behind[0]).abs().max() > 1e-3 for one in behind[1:]), (
            "the very next row is the frame's own"
        )
    assert ("as a whole" in caplog.text) == llama, "HiDream has T5 besides"


@pytest.mark.parametrize("kind", [*T5S, "sd3", "hidream"])
def test_t5_works_by_one_prompt_alone_and_says_so(encoder_studio, kind, caplog):
    s = encoder_studio(kind)
    cond, extra = s.svr(s.prompt(s.identity, FRAMES, window_length=1), mode="original")[0]
    assert "t5xxl reads a prompt as a whole" in caplog.text and "1 of 3" in caplog.text
    t5 = [column for column in extra[ROWS][0].phrases[0] if kind != "sd3" or column >= 77]
    assert (cond[0, t5] - cond[1, t5]).abs().max() > 1e-3, (
        "the frames' words are in the identity's rows"
    )
    caplog.clear()
    cond = s.svr(mode="original")[0][0]
    assert torch.equal(cond[0], cond[1]) and not caplog.text


@pytest.mark.parametrize("mode", ["svr", "svr-eot"])
@pytest.mark.parametrize("kind", READ)
def test_reweighted_rows_have_their_closed_form_and_the_others_stay(encoder_studio, kind, mode):
    s = encoder_studio(kind)
    plain, reweighted = s.svr(mode="original")[0], s.svr(mode=mode)[0]
    every = blocks(s.clip, kind, " ".join((s.identity, *FRAMES)), plain[0])
    for llama in {key == "llama" for key, *_ in every}:
        own = [block for block in every if (block[0] == "llama") == llama]
        row = plain[1][ROWS][0]
        for before, after in zip(layers(plain, llama), layers(reweighted, llama), strict=True):
            check_reweighted(
                s.clip, kind, own, phrases_of(row, llama), before, after, mode == "svr-eot"
            )


@pytest.mark.parametrize(
    "mode, end", [("svr", 0.2 * 0.2 * 1.5), ("svr-eot", 0.9**3), ("original", 1.0)]
)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in LOST])
def test_where_length_is_lost_rows_stay_and_the_record_has_factors(encoder_studio, kind, mode, end):
    s = encoder_studio(kind)
    plain, told = s.svr(mode="original")[0], s.svr(mode=mode, weaken_beta=0.2, enhance_beta=1.5)[0]
    assert torch.equal(told[0], plain[0])
    for frame, row in enumerate(told[1][ROWS]):
        (key, *_, ids), *_ = blocks(s.clip, kind, " ".join((s.identity, *FRAMES)), plain[0])
        words = {
            column: 1.5 if own == frame else 0.2
            for own, phrase in enumerate(row.phrases[1:])
            for column in phrase
        }
        behind = row.phrases[-1][-1] + 1
        ends = range(behind, behind + tokens_in(s.clip, key, ENDS[kind]))
        expected = {} if mode == "original" else {**words, **dict.fromkeys(ends, end)}
        assert dict(row.factors) == pytest.approx(expected)
    shared_by_none = s.svr(s.prompt(s.identity, FRAMES, window_length=1))[0]
    assert not any(row.factors for row in shared_by_none[1][ROWS]), (
        "nothing to turn down, and enhance_beta is 1"
    )


def test_where_length_is_lost_an_alpha_that_somebody_chose_is_told(encoder_studio, caplog):
    s = encoder_studio("qwen-image")
    s.svr()
    assert "alpha" not in caplog.text
    s.svr(weaken_alpha=0.1)
    assert caplog.text.count("have no effect on QwenImage") == 1


def check_reweighted(clip, kind, own, all_phrases, before, after, eot_apart):
    """One text tensor [frames, rows, columns], which the blocks `own` fill."""
    touched = set()
    expected = before.clone()
    for key, first, last, columns, _ in own:
        phrases = [
            [column for column in phrase if first <= column < last] for phrase in all_phrases
        ]
        tower, behind = key in ("l", "g"), phrases[-1][-1] + 1
        end = "" if key == "llama" else ENDS.get(kind, "</s>")
        ends = list(range(behind, last if tower else behind + tokens_in(clip, key, end)))
        words = [row for phrase in phrases for row in phrase]
        scale = 1.0 if tower else before[0, words, columns].norm(dim=-1).median().item() / 27.7
        for frame in range(3):
            expected[frame, :, columns] = reference(
                expected[frame, :, columns], phrases[1:], frame, ends, eot_apart, scale
            )
        touched |= {row for phrase in phrases[1:] for row in phrase} | set(ends)
    torch.testing.assert_close(after, expected, rtol=2e-4, atol=2e-4 * before.abs().max().item())
    others = [row for row in range(before.shape[1]) if row not in touched]
    assert others and torch.equal(after[:, others], before[:, others])
    assert (
        after[:, sorted(touched)] - before[:, sorted(touched)]
    ).abs().max() > 0.01 * before.abs().max()


@pytest.mark.parametrize("kind", ["klein", "flux2"])
def test_a_language_models_magnitudes_overflow_nothing(nodes, kind):
    """What these encoders give is not normalised: rows a thousand times as long, and the first as
    much longer again.
    """
    if kind not in KINDS:
        pytest.skip(f"this ComfyUI has no {kind}")
    clip = toy_encoder(kind)
    s = Studio(nodes, None, clip)
    plain = s.frames[0][0]
    embedding = clip.cond_stage_model.get_submodule(
        clip.cond_stage_model.clip
    ).transformer.get_input_embeddings()
    embedding.weight.data = embedding.weight.data.float() * 1e3
    embedding.weight.data[clip.tokenize("")[clip.cond_stage_model.clip_name][0][0][0]] *= 1e3
    before, after = s.svr(mode="original")[0][0], s.svr()[0][0]
    assert (
        before[0, 0].norm() > 100 * before[0, 8].norm()
        and before[0, 8].norm() > 20 * plain[0, 8].norm()
    )
    assert torch.isfinite(after).all()
    row = s.frames[0][1][ROWS][0]
    turned = [
        (x.norm(dim=-1).median() / y.norm(dim=-1).median()).item()
        for x, y in ((after[0, row.phrases[1]], before[0, row.phrases[1]]),)
    ]
    assert 1 < turned[0] < 10, (
        "turned up as CLIP's words are, not by a factor of the encoder's own size"
    )


@pytest.mark.parametrize("kind", ["qwen-image", "z-image", "flux2", "chroma", "hidream"])
def test_story_batch_puts_only_prompts_of_one_length_together(encoder_studio, kind):
    s = encoder_studio(kind)
    texts = [
        "playing in the snow",
        "wearing a red scarf in a green meadow in the forest",
        "go",
        "no",
    ]
    if kind == "hidream":  # pads up to 128
        texts[:2] = [" ".join([text] * 30) for text in texts[:2]]
    story = s.prompt(s.identity, texts, window_length=1)
    frames = s.svr(story, mode="original")
    prompts = [s.encode(f"{s.identity} {text}")[0] for text in texts]
    positives, latents, captions, *_ = s.batch(story, frames, frames_per_batch=4)
    assert [positive[0][0].shape[0] for positive in positives] == [1, 1, 2]
    assert [latent["samples"].shape[0] for latent in latents] == [1, 1, 2] and captions == texts
    out = [
        (cond[number : number + 1], extra, extra[ROWS][number])
        for [[cond, extra]] in positives
        for number in range(len(cond))
    ]
    for (cond, extra, row), (stock, stock_extra) in zip(out, prompts, strict=True):
        assert torch.equal(cond, stock) and row.length == stock.shape[1], (
            "no padding, no repetition"
        )
        assert set(extra) - {ROWS} == set(stock_extra)
        if "attention_mask" in stock_extra:
            assert torch.equal(extra["attention_mask"], stock_extra["attention_mask"])
        if LLAMA in stock_extra:
            assert row.second_length == stock_extra[LLAMA].shape[2]
    for frame, (stock, stock_extra) in enumerate(prompts):
        [[cond, extra]] = s.batch(story, frames, select=str(frame + 1))[0][0]
        assert torch.equal(cond, stock)
        assert LLAMA not in extra or torch.equal(extra[LLAMA], stock_extra[LLAMA])


def test_a_shared_prompt_needs_one_batch_and_no_limit_of_tokens(encoder_studio):
    """A language model has no chunks of 77: the window is window_length, however long the texts."""
    s = encoder_studio("qwen-image")
    texts = [f"frame {'a b c ' * 10}{name}" for name in ("one", "two", "three")]
    story = s.prompt(s.identity, texts)
    frames = s.svr(story)
    assert frames[0][0].shape[1] > 90
    assert len(s.batch(story, frames, frames_per_batch=0)[0]) == 1
    window = s.svr(s.prompt(s.identity, texts, window_length=2))
    assert [len(row.phrases) for row in window[0][1][ROWS]] == [3, 3, 3]


@pytest.mark.parametrize("kind, limit", [("sd3", 75), ("flux", None), ("qwen-image", None)])
def test_the_page_hears_whether_there_is_a_limit_of_tokens(nodes, kind, limit):
    clip = toy_encoder(kind)
    story = Studio(nodes, None, clip).story
    output = nodes["SVRReweight"].execute(
        **{**defaults_of(nodes["SVRReweight"]), "clip": clip, "story": story}
    )
    assert output.ui == {"story_limit": [limit]}


@pytest.mark.parametrize("kind", ["flux2", "chroma", "qwen-image"])
def test_with_a_cast_the_absent_character_is_turned_down(encoder_studio, kind):
    s = encoder_studio(kind)
    story = s.prompt(
        "A photo of\n@girl: a girl with a red hat\n@fox: a fox with a green coat",
        ["@girl in the snow", "@fox and @girl in a meadow"],
    )
    before, (after, extra) = s.svr(story, mode="original")[0][0], s.svr(story)[0]
    common, girl, fox = (list(columns) for columns in extra[ROWS][0].phrases[:3])
    if kind in LOST:
        factors = [dict(row.factors) for row in extra[ROWS]]
        assert not {*common, *girl} & {*factors[0], *factors[1]} and not {*fox} & {*factors[1]}
        assert {factors[0][column] for column in fox} == {0.05}
        return
    ratio = after.norm(dim=-1) / before.norm(dim=-1)
    assert torch.equal(after[:, common + girl], before[:, common + girl]) and torch.equal(
        after[1, fox], before[1, fox]
    )
    assert ratio[0, fox].max() < 0.2


@pytest.mark.parametrize(
    "kind, weighs",
    [
        ("qwen-image", False),
        ("klein", False),
        ("flux2", False),
        ("krea2", False),
        ("ideogram4", False),
        ("ovis-image", False),
        ("lumina2 with gemma3", False),
        ("newbie", False),
        ("lumina2", True),
        ("flux", True),
    ],
)
def test_weights_that_are_literal_text_are_said_once(encoder_studio, kind, weighs, caplog):
    s = encoder_studio(kind)
    s.svr(s.prompt("a (red:1.3) fox", ["in the snow", "a (big:1.2) hat"]))
    assert caplog.text.count("(red:1.3)") == (0 if weighs else 1)
    caplog.clear()
    s.svr(s.prompt("a fox (red)", FRAMES))
    assert not caplog.text


def test_a_scale_makes_no_difference_to_clip_alone(encoder_studio, studio):
    """SD3's towers are reweighted as SDXL's: the same tokens in the same rows of 77."""
    row = encoder_studio("sd3 without t5").frames[0][1][ROWS][0]
    sdxl = studio("sdxl").frames[0][1][ROWS][0]
    assert (row.phrases, row.length) == (sdxl.phrases, sdxl.length)
    assert not sdxl.padded
