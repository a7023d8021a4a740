"""A report as a whole, and its file: written aside and renamed, and never over another."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from orderbook.schema import ANOMALY_KINDS
from recorder import terminal
from replay.compared import Group
from replay.comparison import Comparison, versions
from replay.report.gathering import Evidence
from replay.report.markup import table
from replay.report.page import ReportError, page, plotly_version
from replay.report.sections import Content, definitions, product_section
from replay.rundir import refuse_existing

_MEANING = """<section id="meaning" aria-labelledby="meaning-title">
<h2 id="meaning-title">How to read it</h2>
<p>A summary is the best bid and ask after one accepted message. It is above a threshold where
(ask - bid) / ask is larger. It holds until the next summary of its connection: such intervals add up to the
observed time, and those that begin above to the time above. Nothing is extrapolated across an
interruption.</p>
<p>An episode is a run of consecutive summaries above, within one connection. A mark-out is the change of the
mid price from an episode's start to a time after it; where that runs into an interruption or the tape's end,
it is left out and counted.</p>
<p>There are no fills in it, no queue positions and no hidden orders, and no cost beyond a fee that was asked
for. The mid price stands in for what something is worth.</p></section>"""


def write_report(
    path: Path,
    comparison: Comparison,
    evidence: Mapping[Path, Mapping[str, Evidence]],
    *,
    sort: str = "threshold",
) -> None:
    """Write the report of a comparison.

    Args:
        path: of the file.
        comparison: its numbers, sorted.
        evidence: what was kept of the pass, by tape and product.
        sort: the column by which they are sorted.

    Raises:
        RunError: where the file exists already, or its directory does not.
        ReportError: where it cannot be written, or plotly is missing.
    """
    content = Content()
    title = "Thresholds over " + ", ".join(str(found.tape) for found in comparison.tapes)
    subjects = list(_subjects(comparison, evidence))
    _head(content, title, comparison, [name for name, _, _ in subjects])
    for place, (name, group, kept) in enumerate(subjects):
        product_section(content, place, name, group, kept, sort)
    content.html += [_quality(comparison), _MEANING, _origin(comparison), "</main>"]
    data = {"figures": content.figures, "episodes": content.episodes}
    _write(path, page(title, "\n".join(content.html), data))


def _subjects(
    comparison: Comparison, evidence: Mapping[Path, Mapping[str, Evidence]]
) -> Iterator[tuple[str, Group, Evidence | None]]:
    """Yield what has a section: each product of each tape, and over several tapes its total.

    A total has the same numbers, but no figures over time: the tapes may overlap.
    """
    for group in comparison.groups:
        if group.part is not None:
            continue
        kept = None if group.tape is None else evidence.get(group.tape, {}).get(group.product)
        if len(comparison.tapes) == 1:
            yield group.product, group, kept
        else:
            yield f"{group.product}, {group.tape or 'all tapes'}", group, kept


def _head(content: Content, title: str, comparison: Comparison, products: Sequence[str]) -> None:
    tallies = [tally for found in comparison.tapes for tally in found.tallies.values()]
    first = min((tally.first_time for tally in tallies if tally.first_time is not None), default=None)
    last = max((tally.last_time for tally in tallies if tally.last_time is not None), default=None)
    links = [(f"p{place}", product) for place, product in enumerate(products)]
    links += [("quality", "Data quality"), ("meaning", "How to read it"), ("origin", "How it was made")]
    items = "".join(f'<li><a href="#{name}">{escape(text)}</a></li>' for name, text in links)
    content.html += [
        f'<header><h1>{escape(title)}</h1><p class="muted">{escape(terminal.span(first, last))}</p>',
        f'<nav aria-label="Sections"><ul>{items}</ul></nav></header>',
        "<noscript><p>The figures need JavaScript; their numbers are in the tables too.</p></noscript>",
        '<main id="main">',
    ]


def _quality(comparison: Comparison) -> str:
    headings = [
        *("product", "verdict", "connections", "interruptions", "excluded (s)"),
        *("rows", "frames", "summaries", *(kind.replace("_", " ") for kind in ANOMALY_KINDS)),
    ]
    rows = []
    for product in comparison.products:
        quality = comparison.whole(product).quality
        tallies = [found.tallies[product] for found in comparison.tapes if product in found.tallies]
        verdicts = (f"{count:,} {verdict}" for verdict, count in quality.connections.items() if count)
        counts = [sum(getattr(each, name) for each in tallies) for name in ("rows", "frames", "summaries")]
        anomalies = [sum(each.anomalies[kind] for each in tallies) for kind in ANOMALY_KINDS]
        rows.append(
            [
                product,
                quality.verdict or "-",
                ", ".join(verdicts),
                terminal.count(quality.interruptions),
                terminal.seconds(quality.excluded_s),
                *map(terminal.count, counts + anomalies),
            ]
        )
    return (
        '<section id="quality" aria-labelledby="quality-title"><h2 id="quality-title">Data quality</h2>'
        "<p>A connection is verified where the feed's sequence numbers are contiguous, unverifiable where it "
        "has none, broken after a gap, a crossed book or an overflow. Excluded is time without a book.</p>"
        f"{table('By product', headings, rows, left=3)}</section>"
    )


def _origin(comparison: Comparison) -> str:
    facts = {}
    for found in comparison.tapes:
        facts[f"digest of {found.tape}"] = found.digest
    named = versions() | {"plotly": plotly_version()}
    facts["software"] = ", ".join(f"{name} {version}" for name, version in named.items())
    command = f"<pre>{escape(comparison.command)}</pre>" if comparison.command else ""
    return (
        '<section id="origin" aria-labelledby="origin-title"><h2 id="origin-title">How it was made</h2>'
        f"{command}{definitions(facts)}<p>The same tape gives the same digest: at any speed, on any machine, "
        "and in the recording itself.</p></section>"
    )


def _write(path: Path, text: str) -> None:
    refuse_existing(path)
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.absolute().parent, prefix=f"_{path.name}.", delete=False
        ) as file:
            aside = Path(file.name)
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                refuse_existing(path)
                aside.rename(path)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ReportError(f"{path}: cannot be written ({error.strerror})") from None
