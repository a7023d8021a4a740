"""Simulated execution: orders, queues, fills and money over the rows of a tape, live and replayed alike.

Rows go in, events come out; there is no clock, file, socket or thread, and no float in any rule. One `Market`
a product holds what the tape shows. Any number of lanes (`lane.Lane`) share it; each has a strategy, its
orders (`exchange.Exchange`) and its money (`account.Account`), and lanes never meet.

    rows -> Market -> lane: Exchange -> events -> Account, digest, reports -> strategy -> requests -> Exchange

It is the readable reference: the compiled exchange must give the same fills, cash, queues and digest.
"""
