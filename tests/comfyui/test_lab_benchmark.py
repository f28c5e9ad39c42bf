"""The benchmark's rows that are worked out in moments: they go with the code that they measure."""


def test_the_row_of_svr_compares_what_is_the_same(studio):
    """Row c times the pack's SVR against the published equations, and asserts that both give the
    same.
    """
    from lab.benchmark.cost import svr_row

    what, ratio, _, target = svr_row(studio("sdxl"))
    assert "full / economy SVD" in what and float(ratio) > 0 and target == ">= 10"


def test_the_row_of_synchronisations_counts_looks_at_values(studio):
    """None at the defaults; one per call where the step matters, for the call's sigma."""
    from bench.devices import Captured, waits_of

    s = studio("sdxl")
    plain, ours, by_steps = (
        waits_of(Captured(model, lambda model: s.sample(model, steps=1)).again)
        for model in (s.model, s.ipca(), s.ipca(start_at_step=1))
    )
    assert (ours - plain, by_steps - plain) == (0, 1)
