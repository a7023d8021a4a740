"""The compiled engine: the bytes of a batch in, summary columns out, no Python object per row.

One contract, two engines: the plain decoder, book and tracker define what a frame means. The kernel reads the
    frames that the venues really send and stops at every row that it does not know for certain; that row goes
    through the plain decoder and tracker onto the same book, so no input changes a result.

    layout     every register and array
    jit        how functions are compiled, each of them once
    words      words of memory; eight bytes as one
    scan       JSON bytes: strings, keys, skipping values that are not used
    numbers    prices and sizes; the floats nearest to them
    times      times in nanoseconds since the epoch
    levels     the book's levels: near the touch in an array by price (`near`), elsewhere in blocks (`blocks`)
    frames     the frame that a reader fills; the readers are in the folders of the venues (`compiled`)
    summaries  the summary of a book
    market     what the exchange reads of a row, if it is wanted; its memory in Python: `market_arrays`
    packed     rows as integers, as `packed_format` says
    kernel     rows through reader and book
    entries    the functions that Python calls, and their compilation
    loading    the same as machine code from a store, which needs no numba
    book       the owner of a book's memory
    columns    the summaries of a batch
    engine     the engine

Positions in a text are int64 and only move forward; -1 means "left to the plain engine". A function that gets
-1 returns it, so that calls can be chained.
"""
