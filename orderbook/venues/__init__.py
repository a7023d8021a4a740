"""The venues: every source of order books that booktape can record, replay and serve.

    base       what a venue is: one `Venue` value
    registry   the names of the venues, and the way from a name to its `Venue`
    rawjson    reading JSON in stages, for the decoders
    coinbase/  what the frames and subscriptions of the two Coinbase venues share
    exchange/  Coinbase Exchange
    advanced/  Coinbase Advanced Trade

To add a venue, write a folder here whose package holds `VENUE`, and add the folder's name to
`registry.VENUE_NAMES`. It is the name of the venue on the command line and on disk.
"""
