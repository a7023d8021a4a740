"""A report on thresholds: one HTML file that needs neither network nor server.

`gathering` watches the steps of a pass and keeps what the figures show: `reduction` the spread over time,
`gaps` what was not observed, `hours` the time of day, `episodes` the longest episodes with the quotes around
them. `figures` and `curves` turn that into Plotly's terms, `tables` into HTML, `sections` orders both, `page`
puts the file together and `writing` gives it its name. Who wants one makes a `reporting.Report`.

What is kept does not grow with the tape: each of them has a bound, and says where it left something out.
Nothing that a tape, a path or an exchange says gets into the page unescaped, and the page's own policy
(Content-Security-Policy) forbids it every request and every script but ours.
"""
