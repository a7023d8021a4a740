"""The figures of a report as Plotly takes them."""
