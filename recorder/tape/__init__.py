"""The tape on disk, format 1: journal, sealed segments, manifest; one writer, any number of readers.

    TAPE/_tape.json                                     manifest: format, feed, products
    TAPE/product=P/date=D/<first seq, 20 digits>.parquet    sealed segments
    TAPE/product=P/_segments.jsonl                      a line per sealed segment
    TAPE/product=P/_journal/<first seq, 20 digits>.journal  what is not sealed yet

Plain Python and Arrow, usable without a dataflow.
"""
