"""The compiled engine: the bytes of a batch in, summary columns out, no Python object per row.

One contract, two engines: what a frame means is said by the plain decoder, book and tracker. The kernel takes
the frames that the feeds really send and stops at every row that it does not know for certain; that row goes
through the plain decoder and tracker onto the same book, so no input changes a result.

    jit      how functions are compiled
    scan     JSON bytes: strings, keys, skipping what nobody reads
    numbers  prices, sizes, times; their nearest floats
    levels   the book's data structure
    frames   what both dialects share; exchange, advanced  the shapes of each
    kernel   rows through parser and book
    loading  the compiled entry points, kept on disk
    book     the owner of a book's memory
    columns  the summaries of a batch
    engine   the engine

Positions are int64 and only move forward; -1 means "not for the kernel". A function that gets -1
returns it, so that calls chain.
"""
