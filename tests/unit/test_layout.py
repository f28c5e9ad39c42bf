import pytest
import torch
from story_pack.svr.layout import PhrasesRunTogether, chunk_budget, content, lay_out

BEGIN, END = 1, 2


def chunked(words: list, size: int = 8, pad: int = END):
    """Tokens of `words` as ComfyUI packs them: begin, content, end, padding up to the chunk's
    size.
    """
    room = size - 2
    pieces = [words[start : start + room] for start in range(0, max(len(words), 1), room)]
    return [
        [
            (BEGIN, 1.0, 0),
            *((word, 1.0, place + 1) for place, word in enumerate(piece)),
            (END, 1.0, 0),
            *[(pad, 1.0, 0)] * (room - len(piece)),
        ]
        for piece in pieces
    ]


def test_spans_count_tokens_instead_of_searching_for_them():
    fox, snow = [10, 11], [12]
    # the second frame repeats the first, the third contains both the identity and the first
    phrases = [fox, snow, snow, [*fox, *snow]]
    layout = lay_out(chunked(sum(phrases, []), size=12), [chunked(phrase) for phrase in phrases])
    assert layout.phrases == ((1, 2), (3,), (4,), (5, 6, 7))
    assert layout.begins == (0,)
    assert layout.ends == (8, 9, 10, 11)


@pytest.mark.parametrize("pad", [END, 0])  # CLIP-G pads with 0: still end-of-text
def test_spans_and_ends_over_several_chunks(pad):
    phrases = [[10, 11, 12, 13], [14, 15, 16, 17], [18]]
    layout = lay_out(chunked(sum(phrases, []), pad=pad), [chunked(phrase) for phrase in phrases])
    assert layout.phrases == ((1, 2, 3, 4), (5, 6, 9, 10), (11,))
    assert layout.begins == (0, 8)
    assert layout.ends == (7, 12, 13, 14, 15)


def test_a_phrase_that_changes_its_neighbour_is_refused():
    with pytest.raises(PhrasesRunTogether) as error:
        lay_out(chunked([10, 11, 99]), [chunked([10, 11]), chunked([12])])
    assert error.value.phrase == 1
    with pytest.raises(PhrasesRunTogether):
        lay_out(chunked([10, 11, 12]), [chunked([10]), chunked([11])])


def test_a_changed_weight_is_a_change():
    heavier = [
        [(token, 1.1 if token == 11 else weight, word) for token, weight, word in chunk]
        for chunk in chunked([10, 11])
    ]
    with pytest.raises(PhrasesRunTogether):
        lay_out(heavier, [chunked([10]), chunked([11])])


def test_embedding_vectors_are_compared_by_value():
    vector = torch.arange(4.0)
    prompt = chunked([10, vector.clone(), 11])
    layout = lay_out(prompt, [chunked([10]), chunked([vector, 11])])
    assert layout.phrases == ((1,), (2, 3))
    with pytest.raises(PhrasesRunTogether):
        lay_out(prompt, [chunked([10]), chunked([vector + 1, 11])])


def test_content_and_budget():
    assert content(chunked([10, 11, 12, 13, 14, 15, 16])) == [
        (token, 1.0) for token in range(10, 17)
    ]
    assert chunk_budget(chunked([10], size=77)) == 75
