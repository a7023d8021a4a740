"""The compiled exchange: the rows of a batch through the market and all lanes, no Python object an event.

It gives what `orderbook.execution` gives, to the last unit of cash and queue and in the digest; each module
says of which one it is the twin. Prices, sizes and money are integers here too.

    layout         every record and table
    addresses      what is at an address
    wide           money in two words
    pool           chains of nodes, orders and reports
    sizes          the book: changes in, sizes out
    places         the place of an order in its queue
    taking         what the book offers, and what was taken
    gate           why an order is refused
    exchange       the orders of a lane, by request
    rows           the same, by row
    breaks         the same, by interruption
    account        the money of a lane, and the sums of its orders
    digest         the execution digest
    later_mids     the mid after each fill
    markouts       the mark-outs of fills, added up
    samples        what a lane is worth, and when
    events         what the exchange says
    latency        how long a request travels
    requests       what is sent and what is due
    strategies     tables of orders
    called         calls of compiled strategies
    woken          calls of strategies in Python
    reports        what is reported, and what a compiled strategy knows
    room           whether there is room for what may happen
    stirring       which lanes a row concerns
    lane           the order of events
    market         what the tape shows
    kernel         rows through market and lanes
    loading        the compiled entry
    memory         the owner of all memory
    desk           a strategy in Python
    dependencies   what the code of a function depends on
    functions      compiles the function of a compiled strategy
    callee         a compiled strategy and its memory
    lane_settings  a lane's settings as the kernel reads them
    harvest        the sums of a lane, and its rows if they are wanted
    written        who takes what the kernel has written
    lanes          all of it for a batch
    product        all of it for a product
"""
