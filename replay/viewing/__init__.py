"""A local web page that shows a tape: parts of it as columns, and the server that answers for them."""
