"""A report on thresholds: one HTML file that needs neither network nor server.

- `api`: what a caller uses. A `Report` is created before a pass, watches its steps and is written after it.
- `collect/`: bounded collectors that watch the steps of a pass. What they keep does not grow with the tape.
- `figures/`: turns what was collected into Plotly's terms.
- `tables`, `content`: the same as text, section by section.
- `templates/`: all of the HTML, the looks and the page's own script.
- `render`: fills in the templates and writes the file.

Every text from a tape, a path or an exchange is escaped (Jinja2's autoescape). The page's own
Content-Security-Policy forbids every request and every script but ours.
"""
