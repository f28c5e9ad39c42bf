"""The page of the evidence on anyone's checkpoint. Text and layout alone."""

from PIL import Image

from .rows import Row
from .tables import cell, markdown, mean_and_error, paired

Told = list[dict[str, float] | None]  # one row's columns a story; None where it was not rendered
# Table 1 of arXiv 2501.13554, on SDXL and its benchmark of 200 stories: (CLIP-I, CLIP-T on the
# scale used there).
PAPER = {"SDXL, separate prompts": (0.8165, 0.9074), "One-Prompt-One-Story": (0.9117, 0.8942)}


def table(results: dict[str, Told], rows: dict[str, Row]) -> str:
    """The rows that were rendered and the paper's; differences are to row (a) on the same
    stories.
    """
    lines = []
    for name, row in rows.items():
        told = results[name]
        columns = {
            column: [None if story is None else story[column] for story in told]
            for column in ("likeness", "fit", "seconds a picture", "peak GiB")
        }
        base = {
            column: [None if story is None else story[column] for story in results["a"]]
            for column in columns
        }
        middle = sorted(value for value in columns["seconds a picture"] if value is not None)
        peak = [value for value in columns["peak GiB"] if value is not None]
        lines.append(
            [
                f"({name}) {row.label}",
                str(len(peak)),
                cell(columns["likeness"]),
                cell(paired(columns["likeness"], base["likeness"]), "+"),
                cell(columns["fit"]),
                cell(paired(columns["fit"], base["fit"]), "+"),
                f"{middle[len(middle) // 2]:.2f}" if middle else "-",
                f"{max(peak):.2f}" if peak else "-",
            ]
        )
    likeness, fit = PAPER["SDXL, separate prompts"]
    for name, (paper_likeness, paper_fit) in PAPER.items():
        lines.append(
            [
                f"*the paper: {name}*",
                "200",
                f"{paper_likeness}",
                f"{paper_likeness - likeness:+.3f}",
                f"{paper_fit}",
                f"{paper_fit - fit:+.3f}",
                "",
                "",
            ]
        )
    head = [
        "row",
        "stories",
        "likeness (CLIP-I)",
        "less (a)'s",
        "fit (CLIP-T)",
        "less (a)'s",
        "seconds a picture",
        "peak GiB",
    ]
    return markdown(head, lines)


def ratio(results: dict[str, Told]) -> str:
    means = {
        name: mean_and_error([None if story is None else story["fit"] for story in results[name]])
        for name in "ae"
    }
    paper = PAPER["One-Prompt-One-Story"][1] / PAPER["SDXL, separate prompts"][1]
    if None in means.values():
        return ""
    return (
        f"Fit (e)/(a) = **{means['e'][0] / means['a'][0]:.3f}**, in the paper {paper:.3f}: its"
        " CLIP-T is on another scale, so compare the ratio."
    )


def page(
    name: str, about: str, notes: list[str], results: dict[str, Told], rows: dict[str, Row]
) -> str:
    strips = "\n\n".join(
        f"({label}) {row.label}\n\n![{row.label}](row-{label}.png)" for label, row in rows.items()
    )
    return (
        "\n\n".join(
            filter(
                None,
                [
                    f"# Evidence on {name}",
                    about,
                    *notes,
                    table(results, rows),
                    ratio(results),
                    "## The first stories",
                    strips,
                ],
            )
        )
        + "\n"
    )


def below_each_other(strips: list[Image.Image]) -> Image.Image:
    sheet = Image.new(
        "RGB",
        (max(strip.width for strip in strips), sum(strip.height + 6 for strip in strips) - 6),
        "white",
    )
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height + 6
    return sheet
