import torch
from story_pack.ipca.unet.memory import remember, repeats


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_protection_keeps_begin_and_identity_rows():
    embeds = draw(10, 4)
    assert torch.equal(
        remember(embeds, [0, 1, 2, 5, 6], protect=True).embeds, embeds[[0, 1, 2, 5, 6]]
    )
    assert torch.equal(remember(embeds, [0, 1, 2, 5, 6], protect=False).embeds, embeds)


def test_rows_that_begin_with_the_identity_are_found():
    embeds = draw(10, 16)
    memory = remember(embeds, [0, 1, 2, 3], protect=True)
    story = torch.cat([embeds[:4], draw(8, 16, seed=1)])
    foreign = draw(12, 16, seed=2)
    one_word_else = story.clone()
    one_word_else[3] = draw(16, seed=3)
    rounded = story.half().float()
    batch = torch.stack([foreign, story, one_word_else, rounded])
    assert memory.begins(batch).tolist() == [False, True, False, True]
    assert memory.begins(batch.half()).tolist() == [False, True, False, True]
    assert memory.begins(batch.bfloat16()).tolist() == [False, True, False, True]


def test_a_context_of_another_size_is_not_the_story():
    memory = remember(draw(10, 16), [0, 1, 2, 3], protect=True)
    assert memory.begins(draw(2, 3, 16)).tolist() == [False, False]
    assert memory.begins(draw(2, 12, 8)).tolist() == [False, False]


def test_repeated_contexts_are_counted_row_by_row():
    short, long = draw(1, 6, 4), draw(1, 12, 4, seed=1)
    batch = torch.cat([short.repeat(1, 4, 1), long.repeat(1, 2, 1), draw(1, 24, 4, seed=2)])
    assert repeats(batch, shortest=3) == [4, 2, 1]
