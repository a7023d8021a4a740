"""Run the notebooks of docs/notebooks, and keep what they show.

    python -m docs.make_notebooks

Cells are run as a notebook runs them: what they print, and the value of their last line. A kernel would be a
process and a second for each notebook, and a dozen packages for the tests.
"""

import ast
import io
import json
import os
from contextlib import chdir, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

NOTEBOOKS: Final = Path(__file__).parent / "notebooks"
FIGURE: Final = "application/vnd.plotly.v1+json"

Notebook = dict[str, Any]


def run(notebook: Notebook) -> Notebook:
    """Return a notebook with the outputs that its cells have now, run one after another in this directory."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            cells.append(cell)
            continue
        number = sum(each["cell_type"] == "code" for each in cells) + 1
        cells.append(cell | {"execution_count": number, "outputs": _outputs(cell["source"], number, names)})
    return notebook | {"cells": cells}


def _outputs(source: list[str], number: int, names: dict[str, Any]) -> list[dict[str, Any]]:
    tree = ast.parse("".join(source))
    *_, last = tree.body
    if isinstance(last, ast.Expr):
        tree.body.pop()
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), names)  # noqa: S102  our own notebooks
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        outputs.append(
            {
                "output_type": "execute_result",
                "execution_count": number,
                "metadata": {},
                "data": _data(value),
            }
        )
    return outputs


def _data(value: Any) -> dict[str, Any]:
    """Return a value as a notebook keeps it."""
    if hasattr(value, "to_plotly_json"):
        figure = json.loads(value.to_json())
        del figure["layout"]["template"]  # it is as long as most figures, and Jupyter has one of its own
        return {FIGURE: figure, "text/plain": [value.layout.title.text]}
    data: dict[str, Any] = {"text/plain": _lines(repr(value))}
    html = getattr(value, "_repr_html_", lambda: None)()
    return data if html is None else data | {"text/html": _lines(html)}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def read(path: Path) -> Notebook:
    """Return a notebook."""
    found: Notebook = json.loads(path.read_bytes())
    return found


def main() -> None:
    """Run all of them, each in a directory of its own."""
    os.environ["BOOKTAPE_ENGINE"] = "plain"  # the commands that they start say which engine ran
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        with TemporaryDirectory() as directory, chdir(directory):
            done = run(read(path))
        path.write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
