"""The result of a walk on a terminal: what was chosen, and what it came to afterwards."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console

from booktape.console.columns import Column, amount, fitted_table, is_money, money
from orderbook import display
from replay.simulation.walk_results import WalkForward, WalkStep, WalkTotal

_SHOWN_STEPS: Final = 500


def print_walk(console: Console, result: WalkForward) -> None:
    """Print a row for each step, and below them the sums of what was judged."""
    settings, plan = result.settings, result.plan
    console.print(
        f"{result.title} strategy {settings.name}, fees {settings.fees_text}, latency {settings.latency}; "
        f"the largest {plan.by} of {display.plural(result.trials, 'setting')} over "
        f"{plan.fit / 1e9:,.6g} s is judged on the next {plan.judge / 1e9:,.6g} s"
    )
    shown = result.steps[:_SHOWN_STEPS]
    names = result.swept()
    unit = "quote" if is_money(plan.by) else ""
    columns = [
        Column("product", side="left", drop=3 if len({step.product for step in shown}) == 1 else 0),
        Column("queue", side="left", drop=4 if len(settings.queues) == 1 else 0),
        Column("judged from", "UTC", side="left", drop=1),
        *(Column(name, "chosen", side="left") for name in names),
        Column(f"{plan.by} in sample", unit),
        Column(f"{plan.by} out of sample", unit),
        Column("rank", drop=2),
        Column("fills", drop=5),
        *([] if plan.by == "net" else [Column("its net", "quote", drop=6)]),
        Column("median net", "quote", drop=7),
        Column("best net", "quote", drop=8),
    ]
    console.print(fitted_table(console, columns, [_cells(result, step, names) for step in shown]))
    if len(result.steps) > len(shown):
        left_out = display.plural(len(result.steps) - len(shown), "step")
        console.print(f"{left_out} left out: --json and --csv have all of them")
    for line in _totals(result):
        console.print(line)


def _cells(result: WalkForward, step: WalkStep, names: list[str]) -> tuple[str, ...]:
    values = result.values(step)
    chosen = [str(values.get(name, "-")) for name in names]
    return (
        step.product,
        step.queue,
        step.judge_from[:19].replace("T", " "),
        *(["none filled", *"-" * len(names)][: len(names)] if step.fit_filled == 0 else chosen),
        money(step.in_sample),
        money(step.out_of_sample),
        "-" if step.rank is None or step.judge_filled == 0 else f"{step.rank} of {result.trials}",
        "-" if step.fills is None else f"{step.fills:,}",
        *([] if result.plan.by == "net" else [money(step.net)]),
        money(step.net_median),
        money(step.net_best),
    )


def _totals(result: WalkForward) -> Iterator[str]:
    """Yield what all parts to judge come to, beside what nobody had to choose or could have known."""
    for total in result.totals():
        name = f"{total.product}, {total.queue}"
        fits = [step.fit_filled for step in result.steps if (step.product, step.queue) == _lane(total)]
        if not total.steps:
            yield f"{name}: no part could be judged, as {_why_none(fits, result.plan.by)}"
            continue
        net = amount("net", total.net, total.product)
        parts = display.plural(total.steps, "part")
        if result.last_judge < result.plan.judge:
            parts += f" (the last is shorter: {display.seconds(result.last_judge / 1e9)} s)"
        yield (
            f"{name}: net {net} out of sample over {parts}, "
            f"{total.profitable} of them above 0; the median setting came to {money(total.net_median)}, the "
            f"best of each part, which nobody could have known, to {money(total.net_best)}"
        )
        if unfilled := fits.count(0):
            yield (
                f"{name}: no setting was filled in {unfilled} of {display.plural(len(fits), 'part')} to fit;"
                " the first of all was judged there, and nothing speaks for it"
            )


def _lane(total: WalkTotal) -> tuple[str, str]:
    return total.product, total.queue


def _why_none(fits: Sequence[int | None], by: str) -> str:
    """Return why no part was judged: of each part to fit, how many settings were filled."""
    known = [filled for filled in fits if filled is not None]
    if not known:
        return "no book was known"
    if not any(known):
        return "no setting was filled in a part to fit"
    return f"no setting had a value of {by} in a part to fit"
