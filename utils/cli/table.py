"""Tables for a terminal."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]], words: int = 1) -> str:
    """Aligned columns as Markdown: the first, or several of `words`, to the left, others right."""
    cells = [[escaped(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        aligned = [cell.ljust(w) for cell, w in zip(row[:words], widths, strict=False)]
        aligned += [cell.rjust(w) for cell, w in zip(row[words:], widths[words:], strict=True)]
        return "| " + " | ".join(aligned) + " |"

    rule = ["-" * w for w in widths[:words]] + ["-" * (w - 1) + ":" for w in widths[words:]]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


def escaped(cell: str) -> str:
    """The text of a cell in which a bar does not end it."""
    return cell.replace("|", r"\|")
