"""SVR Reweight on the text encoders of transformers: ComfyUI's own classes and tokenizers, random
weights.

Rows are read off here by the tokenizers' own decoding, and the reweighting is restated through the
rows' Gram matrix.
"""

import importlib

import comfy.sd
import pytest
import torch

from bench.studio import FRAMES, Studio, defaults_of
from bench.toy_encoders import KINDS, toy_encoder

ROWS = "one_prompt_one_story_rows"
LLAMA = "conditioning_llama3"  # HiDream's second text: every layer of Llama
LLMS = [
    kind
    for kind in KINDS
    if kind not in ("flux", "chroma") and not kind.startswith(("sd3", "hidream"))
]
T5S = ["flux", "chroma"]
# Of models that normalise every row before they read it: there SVR is factors on keys and values,
# and rows stay as they are.
LOST = (
    "qwen-image",
    "qwen-image-2.1",
    "mage-flow",
    "z-image",
    "lumina2",
    "lumina2 with gemma3",
    "newbie",
    "ovis-image",
    "ideogram4",
    "ideogram4 with sight",
)
READ = [kind for kind in KINDS if kind not in LOST]
# What follows the text: a template's end, or T5's end token.
QWEN = "<|im_end|>\n<|im_start|>assistant\n"
THINKING = f"{QWEN}<think>\n\n</think>\n\n"
GEMMAS = ("lumina2", "lumina2 with gemma3", "newbie")
ENDS = {
    **dict.fromkeys(
        (
            "qwen-image",
            "qwen-image-2.1",
            "z-image",
            "krea2",
            "mage-flow",
            "ideogram4",
            "ideogram4 with sight",
        ),
        QWEN,
    ),
    **dict.fromkeys(("klein", "klein 9b", "ovis-image"), THINKING),
    **dict.fromkeys(GEMMAS, ""),
    "flux2": "[/INST]",
    "flux": "</s>",
}
TEXTS = [
    ("A photo of a red fox with a green coat", FRAMES),
    ("a fox, red!", ["a fox", "... what? it's 3:30", "go"]),
    ("une fée à l'épée", ["in the snow", "fox", "fox fox"]),
]


@pytest.fixture(scope="module")
def studios(nodes):
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = Studio(nodes, None, encoder(kind))
        return made[kind]

    return get


def encoder(kind):
    if kind not in KINDS:
        pytest.skip(f"this ComfyUI has no {kind}")
    return toy_encoder(kind)


def tokenizer_of(clip, key):
    return getattr(clip.tokenizer, key, None) or getattr(clip.tokenizer, f"clip_{key}")


def read(clip, key, ids):
    """The text that a tokenizer itself makes of token ids."""
    tokenizer = tokenizer_of(clip, key).tokenizer
    return getattr(tokenizer, "tokenizer", tokenizer).decode(ids).strip()


def tokens_in(clip, key, text):
    tokenizer = tokenizer_of(clip, key).tokenizer
    tokenize = getattr(tokenizer, "tokenize", None) or (
        lambda text: tokenizer(text)["input_ids"]
    )  # ComfyUI's own, for Mistral
    return len(tokenize(text)) if text else 0


def layers(entry, llama):
    """The tensors [frames, rows, columns] of an entry: its CONDITIONING's one, or all of
    Llama's.
    """
    return entry[1][LLAMA].unbind(1) if llama else (entry[0],)


def phrases_of(row, llama):
    return row.second if llama else row.phrases


def blocks(clip, kind, prompt, cond):
    """(encoder, its first row, its last row + 1, columns, token ids of these rows) of every block
    of a CONDITIONING.
    """
    tokens = {
        key: [pair[0] for chunk in chunks for pair in chunk]
        for key, chunks in clip.tokenize(prompt).items()
        if chunks
    }
    rows = cond.shape[1]
    if kind.startswith("hidream"):
        keys = ["llama"] if kind == "hidream without t5" else ["t5xxl", "llama"]
        return [(key, 0, len(tokens[key]), slice(None), tokens[key]) for key in keys]
    if not kind.startswith("sd3"):
        key = next(key for key in tokens if key not in ("l", "g"))
        return [(key, 0, rows, slice(None), tokens[key][-rows:])]
    columns = {
        "l": slice(0, 32),
        "g": slice(768, 832) if kind == "sd3 without l" else slice(32, 96),
    }
    towers = [
        (key, 0, 77, columns[key], tokens[key])
        for key in ("l", "g")
        if getattr(clip.cond_stage_model, f"clip_{key}") is not None
    ]
    return towers + (
        [] if kind == "sd3 without t5" else [("t5xxl", 77, rows, slice(None), tokens["t5xxl"])]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("identity, frames", TEXTS, ids=["plain", "punctuation", "accents"])
def test_the_tokens_of_a_phrases_columns_say_the_phrase(studios, kind, identity, frames):
    s = studios(kind)
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
def test_a_causal_encoder_gives_every_frame_the_same_identity(studios, kind, caplog):
    s = studios(kind)
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
def test_t5_works_by_one_prompt_alone_and_says_so(studios, kind, caplog):
    s = studios(kind)
    cond, extra = s.svr(s.prompt(s.identity, FRAMES, window_length=1), mode="original")[0]
    assert "t5xxl reads a prompt as a whole" in caplog.text and "1 of 3" in caplog.text
    t5 = [column for column in extra[ROWS][0].phrases[0] if kind != "sd3" or column >= 77]
    assert (cond[0, t5] - cond[1, t5]).abs().max() > 1e-3, (
        "the frames' words are in the identity's rows"
    )
    caplog.clear()
    cond = s.svr(mode="original")[0][0]
    assert torch.equal(cond[0], cond[1]) and not caplog.text


def reference(rows, phrases, frame, ends, eot_apart, scale):
    """The paper's passes on rows [T, d]. With X X^T = Q S^2 Q^T, X becomes Q beta exp(alpha S /
    scale) Q^T X.
    """
    out = rows.double()
    passes = [(phrase, -0.01, 0.05) for index, phrase in enumerate(phrases) if index != frame] + [
        (phrases[frame], 0.01, 1.0)
    ]
    for phrase, alpha, beta in passes:
        chosen = phrase if eot_apart else phrase + ends
        squares, q = torch.linalg.eigh(out[chosen] @ out[chosen].T)
        factor = beta * torch.exp(alpha * squares.clamp(min=0).sqrt() / scale)
        out[chosen] = (q * factor) @ q.T @ out[chosen]
        if eot_apart:
            out[ends] *= 0.9
    return out.float()


@pytest.mark.parametrize("mode", ["svr", "svr-eot"])
@pytest.mark.parametrize("kind", READ)
def test_reweighted_rows_have_their_closed_form_and_the_others_stay(studios, kind, mode):
    s = studios(kind)
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
def test_where_length_is_lost_rows_stay_and_the_record_has_factors(studios, kind, mode, end):
    s = studios(kind)
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


def test_where_length_is_lost_an_alpha_that_somebody_chose_is_told(studios, caplog):
    s = studios("qwen-image")
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
    clip = encoder(kind)
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
def test_story_batch_puts_only_prompts_of_one_length_together(studios, kind):
    s = studios(kind)
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


def test_a_shared_prompt_needs_one_batch_and_no_limit_of_tokens(studios):
    """A language model has no chunks of 77: the window is window_length, however long the texts."""
    s = studios("qwen-image")
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
def test_with_a_cast_the_absent_character_is_turned_down(studios, kind):
    s = studios(kind)
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


def test_text_that_was_joined_behind_unequal_prompts_is_told(studios, nodes):
    s = studios("z-image")
    story = s.prompt(s.identity, ["snow", "wearing a red scarf"], window_length=1)
    joined = nodes["ConditioningConcat"]().concat(s.svr(story), s.svr(story))[0]
    with pytest.raises(ValueError, match="^Story Batch - frames: .*tokens per frame"):
        s.batch(story, joined)


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
def test_weights_that_are_literal_text_are_said_once(studios, kind, weighs, caplog):
    s = studios(kind)
    s.svr(s.prompt("a (red:1.3) fox", ["in the snow", "a (big:1.2) hat"]))
    assert caplog.text.count("(red:1.3)") == (0 if weighs else 1)
    caplog.clear()
    s.svr(s.prompt("a fox (red)", FRAMES))
    assert not caplog.text


def test_parentheses_that_swallow_the_next_phrase_are_told(studios):
    s = studios("chroma")
    with pytest.raises(ValueError, match="story: the parentheses in 'a .red fox' are not balanced"):
        s.svr(s.prompt("a (red fox", ["in the snow)", "go"]))


def test_template_words_in_a_story_are_told(studios):
    s = studios("qwen-image")
    with pytest.raises(ValueError, match="^SVR Reweight - story: .*template words"):
        s.svr(s.prompt("<|im_start|>user\na fox", FRAMES))


def test_a_scale_makes_no_difference_to_clip_alone(studios, studio):
    """SD3's towers are reweighted as SDXL's: the same tokens in the same rows of 77."""
    row = studios("sd3 without t5").frames[0][1][ROWS][0]
    sdxl = studio("sdxl").frames[0][1][ROWS][0]
    assert (row.phrases, row.length) == (sdxl.phrases, sdxl.length)
    assert not sdxl.padded


def clip_with(tokenizer):
    clip = comfy.sd.CLIP(no_init=True)
    module, _, name = tokenizer.rpartition(".")
    clip.tokenizer = getattr(importlib.import_module(f"comfy.text_encoders.{module}"), name)()
    clip.cond_stage_model = torch.nn.Module()
    clip.tokenizer_options, clip.use_clip_schedule, clip.apply_hooks_to_conds = {}, False, None
    return clip


@pytest.mark.parametrize(
    "tokenizer, name",
    [("omnigen2.Omnigen2Tokenizer", "qwen25_3b"), ("sa_t5.SAT5Tokenizer", "t5base")],
)
def test_other_text_encoders_are_refused_by_name(studios, tokenizer, name):
    with pytest.raises(ValueError, match=rf"^SVR Reweight - clip: .*{name}.*Qwen-Image.*Lumina 2"):
        studios("chroma").svr(clip=clip_with(tokenizer))


def test_a_tokenizer_without_word_ids_is_refused_by_name(studios):
    """LongCat-Image's has Qwen-Image's name."""
    pytest.importorskip("comfy.text_encoders.longcat_image")
    with pytest.raises(
        ValueError,
        match=r"^SVR Reweight - clip: its tokenizer qwen25_7b does not report which word",
    ):
        studios("chroma").svr(clip=clip_with("longcat_image.LongCatImageTokenizer"))


def test_a_clip_without_its_encoders_is_told(studios):
    with pytest.raises(ValueError, match="^SVR Reweight - clip: .*no encoder of that name"):
        studios("chroma").svr(clip=clip_with("sd3_clip.SD3Tokenizer"))
