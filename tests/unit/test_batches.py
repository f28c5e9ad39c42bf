from story_pack.batch.frames import batches_of, file_name


def test_batches():
    assert batches_of([0, 1, 2, 4, 5], 2) == [[0, 1], [2, 4], [5]]
    assert batches_of([0, 1, 2], 0) == [[0, 1, 2]]
    # frames that must not share a batch: the order stays the story's
    assert batches_of([0, 1, 2, 4, 5], 2, kinds=[9, 9, 9, 0, 7, 9]) == [[0, 1], [2], [4], [5]]
    assert batches_of([0, 1, 2], 0, kinds=["a", "b", "a"]) == [[0], [1], [2]]


def test_file_names():
    assert file_name([5], 7) == "frame-006" and file_name([5], 1200) == "frame-0006"
    assert file_name([0, 1, 2, 5], 7) == "frames-001-003,006"
    many = file_name(list(range(0, 400, 2)), 400)
    assert many == "frames-001-to-399" and sorted(["frame-010", "frame-002"]) == [
        file_name([1], 20),
        file_name([9], 20),
    ]
