"""Backtests: strategies with simulated orders over a tape.

`settings` says what is run; `orders_file` reads a table of orders; `passes` runs the lanes of a product;
`tables` has the rows of RUN, `statistics` and `sums` add up the numbers of a lane, `rows` has them rounded,
`parts` those by hour, day or connection; `columns` shows them as tables, `results` puts all together. What
happens to an order is decided in `orderbook/execution/`.
"""
