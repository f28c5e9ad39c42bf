from story_pack.batch.frames import batches_of


def test_batches():
    assert batches_of([0, 1, 2, 4, 5], 2) == [[0, 1], [2, 4], [5]]
    assert batches_of([0, 1, 2], 0) == [[0, 1, 2]]
    # frames that must not share a batch: the order stays the story's
    assert batches_of([0, 1, 2, 4, 5], 2, kinds=[9, 9, 9, 0, 7, 9]) == [[0, 1], [2], [4], [5]]
    assert batches_of([0, 1, 2], 0, kinds=["a", "b", "a"]) == [[0], [1], [2]]
