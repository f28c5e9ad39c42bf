"""Spans of a tokenizer whose tokens depend on what is before them: made up here, so that every trap
can be set.
"""

import pytest
from story_pack.svr.prefixes import TemplateLost, lay_out_by_prefixes

PAD = 0
BEGIN, USER, END, ANSWER = 1, 2, 3, 4
WORDS = {
    "fox": 10,
    " fox": 11,
    " in": 12,
    "in": 13,
    " snow": 14,
    "snow": 15,
    "New": 20,
    " York": 21,
    " New": 25,
    "New York": 22,
    " New York": 26,
    " a": 23,
    "a": 24,
    " ": 30,
}


def tokens(text, template=True, pad_left=0, pad_right=0, space=""):
    """Longest words first, as a language model's tokenizer reads: "New York" is one token, and so
    runs over a space.
    """
    found, rest = [], space + text
    while rest:
        word = next(word for word in sorted(WORDS, key=len, reverse=True) if rest.startswith(word))
        found.append((WORDS[word], 1.0, 1))
        rest = rest[len(word) :]
    if template:
        found = [(BEGIN, 1.0, 0), (USER, 1.0, 1), *found, (END, 1.0, 1), (ANSWER, 1.0, 1)]
    return [[*[(PAD, 1.0, 0)] * pad_left, *found, *[(PAD, 1.0, 0)] * pad_right]]


def laid_out(*phrases, **how):
    prefixes = [tokens(" ".join(phrases[:count]), **how) for count in range(1, len(phrases))]
    return lay_out_by_prefixes(tokens(" ".join(phrases), **how), prefixes, tokens("", **how), PAD)


def test_a_word_after_a_space_and_at_the_beginning_are_other_tokens():
    layout, run_together = laid_out("fox", "fox in", "snow")
    assert layout.phrases == ((2,), (3, 4), (5,)) and not run_together
    assert layout.begins == (0,), "the begin token, not the template's words"
    assert layout.ends == (6, 7)


@pytest.mark.parametrize("how, first", [({"pad_right": 5}, 0), ({"pad_left": 4}, 4)])
def test_padding_on_either_side_is_nobodys(how, first):
    layout, _ = laid_out("fox", "in snow", **how)
    assert layout.phrases == ((first + 2,), (first + 3, first + 4))
    assert (layout.begins, layout.ends) == ((first,), (first + 5, first + 6))


def test_the_space_before_the_text_may_be_one_token_with_its_first_word():
    """As in "background: {}": the empty text leaves the space alone."""
    layout, run_together = laid_out("fox", "in snow", space=" ")
    assert layout.phrases == ((2,), (3, 4)) and layout.ends == (5, 6) and not run_together
    layout, _ = laid_out("a New", "snow", space=" ")
    assert layout.phrases == ((2, 3), (4,)) and layout.ends == (5, 6)


def test_a_text_without_template():
    layout, _ = laid_out("fox", "in snow", template=False)
    assert layout == type(layout)(((0,), (1, 2)), (), ())


def test_a_token_over_the_space_is_the_later_phrases():
    layout, run_together = laid_out("a New", "York", "snow")
    assert layout.phrases[1:] == ((3,), (4,)) and run_together == [0]
    assert layout.phrases[0] == (2,)


def test_a_phrase_that_its_neighbour_swallows_has_no_rows():
    layout, run_together = laid_out("New", "York")
    assert layout.phrases == ((), (2,)) and run_together == [0]


def test_the_template_must_be_there():
    with pytest.raises(TemplateLost):
        lay_out_by_prefixes([[(20, 1.0, 1), (21, 1.0, 1)]], [], tokens(""), PAD)
    with pytest.raises(TemplateLost):
        lay_out_by_prefixes(tokens("fox in"), [[[(20, 1.0, 1)]]], tokens(""), PAD)
