"""Simulated fills against real orders: `python tests/benchmarks/bench_truth.py [CAPTURES]`.

Every real order of the captures `l3-*` is sent again, alone, just before it was opened, and cancelled when
it ended, with a latency of 0. What is filled of it under the three queue models is compared with what really
was. Columns: orders outside of their bounds; orders of which both bounds are equal; means over orders in
percent of their size: really filled, under each model, front less back, and by how much share is off.
Nothing here is a matter of speed.
"""

import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import booktape as bt
from tests.benchmarks.measuring import print_line
from tests.support.constants import CAPTURES
from tests.support.execution_captures import copies, real_orders

MODELS = ("back", "share", "front")
Fate = tuple[float, ...]
"""What was filled of an order, as a share of its size: really, under back, share and front."""


def fates(capture: Path, directory: Path) -> list[Fate]:
    """Return the fate of each order of a capture."""
    orders = real_orders(capture.with_name(capture.name.replace(".jsonl.gz", ".orders.json")))
    tape = directory / capture.name
    bt.import_([capture], tape)
    found = bt.open(tape).backtest(orders=copies(orders), latency=0, tick="0.01").orders
    assert found is not None
    rows = found.select(["setting", *(f"filled_{model}" for model in MODELS)]).to_pylist()
    rows.sort(key=lambda row: row["setting"])
    return [
        tuple(
            float(Decimal(filled) / Decimal(order["size"]))
            for filled in (order["filled"], *(row[f"filled_{model}"] for model in MODELS))
        )
        for order, row in zip(orders, rows, strict=True)
    ]


def line(name: str, found: list[Fate]) -> str:
    """Return a row of the table: means over orders, in percent of their size."""
    outside = sum(not back <= real <= front for real, back, _, front in found)
    decided = sum(back == front for _, back, _, front in found)
    real, back, share, front = (fmean(values) * 100 for values in zip(*found, strict=True))
    off = fmean(abs(share - real) for real, _, share, _ in found) * 100
    numbers = " | ".join(f"{value:.1f}" for value in (real, back, share, front, front - back, off))
    return f"| {name} | {len(found)} | {outside} | {decided} | {numbers} |"


def main() -> None:
    """Compare and print."""
    captures = sorted((Path(sys.argv[1]) if sys.argv[1:] else CAPTURES).glob("l3-*.jsonl.gz"))
    print_line("| capture | orders | outside | decided | filled | back | share | front | width | off |")
    print_line("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    everything = []
    with tempfile.TemporaryDirectory() as directory:
        for capture in captures:
            found = fates(capture, Path(directory))
            everything += found
            print_line(line(capture.name.removesuffix(".jsonl.gz"), found))
    print_line(line("all", everything))
    undecided = [fate for fate in everything if fate[1] != fate[3]]
    print_line(line("those that the queue decides", undecided))


if __name__ == "__main__":
    main()
