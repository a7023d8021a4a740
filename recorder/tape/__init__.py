"""The tape on disk, format 2: one process writes, any number read. Plain Python and Arrow, no dataflow.

    TAPE/_tape.json                                         format.manifest: format, feed, products
    TAPE/product=P/_segments/<day>.jsonl                    format.segment_list: a line (segment_entry) each
    TAPE/product=P/date=D/<first seq, 20 digits>.parquet    format.segment: sealed rows
    TAPE/product=P/_journal/<first seq, 20 digits>.journal  format.journal: rows that are not sealed yet
    TAPE/product=P/_index/<first seq, 20 digits>.book       format.sidecars: books and checks of segments
    TAPE/product=P/_columns/<first seq, 20 digits>.rows     format.prepared: rows of segments as integers

`writer` and `reader` are the way in; `store` has what touches the disk.
"""
