"""What the tables of the demo model's evidence come to, in sentences whose numbers are the tables'
and whose verdicts follow from them.
"""

from .cast import COLUMNS as CAST_COLUMNS
from .places import NOT_NAMED
from .results import Results, beyond_error, by_row, cell, mean_and_error
from .rows import DOSES, HOLDS_MOST, ROWS, Row, Setting

IN_SHORT = """## In short

The demo model was trained from scratch on pixel art that a program draws. With it you can see a
story without a download, and the tests have real pictures to look at. These are the main rows of
the table below, which says what the columns mean; lower identity and colour are better."""
SHORT_COLUMNS = ("identity", "colour", "alignment")


def in_short(results: Results, unsaid: Setting, cast: Setting) -> str:
    """The main rows, and what they come to."""
    rows = ROWS | {row.label: row for row in DOSES["up0 alone"]}

    def less(name: str, base: str, column: str = "identity") -> str:
        return cell(results.gain(unsaid, ROWS[name], ROWS[base], column), "+")

    def against_a(row: Row, column: str) -> str:
        base = results.mean(unsaid, ROWS["a"], column)
        return f"{results.mean(unsaid, row, column) / base:.3f}" if base else "-"

    def of(name: str, column: str) -> str:
        return cell(results.column(unsaid, ROWS[name], column))

    more = {
        "identity less (e)'s": lambda row: cell(
            results.gain(unsaid, row, ROWS["e"], "identity"), "+"
        )
    }
    parts = [IN_SHORT, by_row(results, unsaid, rows, SHORT_COLUMNS, more)]
    if any(mean_and_error(results.column(unsaid, ROWS[name], "identity")) is None for name in ROWS):
        return "\n\n".join(parts)
    ways = [("the published settings", ROWS["e"])]
    if results.has(unsaid, HOLDS_MOST):
        ways.append((f"IPCA at {HOLDS_MOST.label}", HOLDS_MOST))
    shares = [
        f"**{against_a(row, 'identity')} at alignment {against_a(row, 'alignment')}** with {name}"
        for name, row in ways
    ]
    told = [
        f"Identity against (a) is {' and '.join(shares)}. The paper has 0.377 at 0.985 on SDXL, by"
        " another measure: the numbers cannot be compared.",
        "One prompt, SVR and the shared noise each need the others: without SVR (c) alignment is"
        f" {of('c', 'alignment')}, without shared noise (g) identity is {of('g', 'identity')} of"
        f" (a)'s {of('a', 'identity')}. SVR's part, (d) less (b), is {less('d', 'b')}.",
        f"**IPCA's own share** at the paper's *strength* 1: (e) less (d) is {less('e', 'd')}, in"
        f" colour {less('e', 'd', 'colour')}. {doses_in_short(results, unsaid)}"
        "The help of IPCA Patch explains when to use more.",
    ]
    if results.has(cast, ROWS["e"]):
        shown = {name: cell(results.column(cast, ROWS["e"], name)) for name in CAST_COLUMNS}
        told.append(
            f"**A cast** of two or three, one of them in every frame: kind is right in"
            f" {shown['kind']} of the frames, the scene in {shown['scene']}, body and coat colours"
            f" in {shown['colours']}; an absent character shows in {shown['absent']}"
            f" ({results.count(cast, ROWS['e'])} stories)."
        )
    return "\n\n".join([*parts, listed(told)])


def doses_in_short(results: Results, unsaid: Setting) -> str:
    rows = [row for name in ("all blocks", "up0 alone") for row in DOSES[name]]
    told = [
        f"{cell(results.gain(unsaid, row, ROWS['d'], 'identity'), '+')} at {row.label}"
        for row in rows
        if results.has(unsaid, row)
    ]
    return f"With more of it, identity less (d)'s is {'; '.join(told)}. " if told else ""


def of_svr(results: Results, unsaid: Setting, said: Setting) -> str:
    def of(setting: Setting, column: str) -> str:
        return cell(results.column(setting, ROWS["d"], column))

    return (
        f"SVR alone: identity {of(unsaid, 'identity')}, colour {of(unsaid, 'colour')}; stated"
        f" {of(said, 'stated')}, alignment there {of(said, 'alignment')}."
    )


def of_share(results: Results, unsaid: Setting, said: Setting) -> str:
    """Of every dose, what it changes by two standard errors or more."""
    told = []
    for row in [ROWS["e"], *(row for rows in DOSES.values() for row in rows)]:
        found: dict[str, list[str]] = {"better": [], "worse": [], "not told apart": []}
        for setting, column, sign in (
            (unsaid, "identity", -1),
            (unsaid, "colour", -1),
            (said, "stated", 1),
        ):
            gain = results.gain(setting, row, ROWS["d"], column)
            mean = mean_and_error(gain)
            verdict = "better" if mean and mean[0] * sign > 0 else "worse"
            found[verdict if beyond_error(gain) else "not told apart"].append(column)
        name = "strength 1, the default" if row is ROWS["e"] else row.label
        verdicts = "; ".join(f"{key}: {', '.join(names)}" for key, names in found.items() if names)
        gains = (results.gain(way, row, ROWS["d"], "alignment") for way in (unsaid, said))
        alignment = " and ".join(cell(gain, "+") for gain in gains)
        told.append(f"{name}, against SVR alone: {verdicts}. Alignment {alignment}.")
    default, ten = ROWS["e"], DOSES["all blocks"][0]
    second = cell(results.gain(said, ten, default, "stated"), "+")
    first = cell(results.gain(unsaid, ten, default, "identity"), "+")
    told.append(
        f"The defaults stay the published ones. Strength 10 in all blocks less 1: identity {first},"
        f" stated {second}. That up0 makes the colours is so in this model."
    )
    return "By two standard errors or more:\n\n" + listed(told)


def of_places(results: Results, setting: Setting) -> str:
    def of(name: str, column: str) -> str:
        row = ROWS[name] if name else NOT_NAMED
        return cell(results.column(setting, row, column))

    own_scene = of("e", "others' scene")
    return listed(
        [
            "Does it stay out of the others? In separate prompts, without SVR, the place that is"
            f" named takes over {of('a', 'place elsewhere')} of the frames that are elsewhere; in"
            f" (e) {of('e', 'place elsewhere')}, where {own_scene} show"
            " their own scene.",
            f"Does it stay the same? Turned differently in {of('e', 'turned')} of the pairs, with a"
            f" noise per frame (g) in {of('g', 'turned')}, in separate prompts (a) in"
            f" {of('a', 'turned')}. Separate prompts with the same noise (b) have"
            f" {of('b', 'turned')} and a place in plain words without a name {of('', 'turned')}:"
            " captions never say which way round a place is, so words cannot hold it here, and what"
            " holds it is the shared noise.",
            f"Does its turn reach the others? {of('e', 'others alike')} are alike in (e), against"
            f" {of('b', 'others alike')} in separate prompts with the same noise.",
        ]
    )


def listed(sentences: list[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
