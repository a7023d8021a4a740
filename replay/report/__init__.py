"""Reports: one HTML file each, that needs neither network nor server.

- `api`, `backtest`: what a caller uses. A report is created before a pass and written after it.
- `collect/`: bounded collectors that watch a pass. What they keep does not grow with the tape.
- `figures/`: a module a figure; turns what was collected into Plotly's terms.
- `comparison_page`, `backtest_page`: what is on a page (`page`): the answer, an overview, details by product.
- `tables`, `sparkline`: the same as text, and as lines as small as words.
- `templates/`: all of the HTML, the looks and the page's own script.
- `render`: fills in the templates and writes the file.

Every text from a tape, a path or an exchange is escaped (Jinja2's autoescape). The page's own
Content-Security-Policy forbids every request and every script but ours.
"""
