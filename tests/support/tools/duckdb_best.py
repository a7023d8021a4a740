"""DuckDB rebuilds the book from the table of changes, and compares its best levels with the summaries.

    python duckdb_best.py TABLES

A level holds from its change to the next one of the same price and side, or to where the book is emptied.
"""

import json
import sys

import duckdb

QUERY = """
WITH changes AS (
    SELECT *, row_number() OVER () AS place FROM read_parquet('{0}/levels/*/*/*.parquet')
), books AS (
    SELECT *, count(*) FILTER (change = 'clear') OVER (
        PARTITION BY product ORDER BY seq, place) AS book FROM changes
), last AS (
    SELECT product, book, seq, side, price, arg_max(size, place) AS size
    FROM books WHERE change <> 'clear' GROUP BY ALL
), spans AS (
    SELECT *, coalesce(lead(seq) OVER (PARTITION BY product, book, side, price ORDER BY seq), 1e18) AS until
    FROM last
), known AS (
    SELECT product, seq, max(book) AS book FROM books GROUP BY ALL
), summaries AS (
    SELECT s.*, k.book FROM read_parquet('{0}/summaries/*/*/*.parquet') s
    ASOF JOIN known k ON s.product = k.product AND s.seq >= k.seq
), best AS (
    SELECT s.product, s.seq,
        max(price) FILTER (side = 'bid') AS bid_price, arg_max(size, price) FILTER (side = 'bid') AS bid_size,
        min(price) FILTER (side = 'ask') AS ask_price, arg_min(size, price) FILTER (side = 'ask') AS ask_size
    FROM summaries s LEFT JOIN spans l
        ON s.product = l.product AND s.book = l.book AND l.seq <= s.seq AND s.seq < l.until AND l.size > 0
    GROUP BY ALL
)
SELECT count(*), count(*) FILTER (
    (b.bid_price, b.bid_size, b.ask_price, b.ask_size)
    IS DISTINCT FROM (s.bid_price, s.bid_size, s.ask_price, s.ask_size))
FROM summaries s JOIN best b ON s.product = b.product AND s.seq = b.seq
"""

rows, different = duckdb.sql(QUERY.format(sys.argv[1])).fetchall()[0]
sys.stdout.write(json.dumps({"rows": rows, "different": different}))
