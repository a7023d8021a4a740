"""The compiled engine: the bytes of a batch in, summary columns out, no Python object per row.

One contract, two engines: what a frame means is said by the plain decoder, book and tracker. The kernel takes
the frames that the feeds really send and stops at every row that it does not know for certain; that row goes
through the plain decoder and tracker onto the same book, so no input changes a result.

    jit        how functions are compiled
    words      words of memory; eight bytes as one
    scan       JSON bytes: strings, keys, skipping what nobody reads
    numbers    prices and sizes; their nearest floats
    times      times: nanoseconds since 1970
    levels     the book's levels: near the touch in an array by price (`near`), elsewhere in blocks (`blocks`)
    frames     what both dialects share; exchange, advanced and updates  the shapes of each
    summaries  the summary of a book
    kernel     rows through parser and book
    loading    the compiled entry points, kept on disk
    book       the owner of a book's memory
    columns    the summaries of a batch
    engine     the engine

Positions are int64 and only move forward; -1 means "not for the kernel". A function that gets -1
returns it, so that calls chain.
"""
