"""A tape served as the exchange: clients of its feed are pointed here, with nothing changed but the URL.

What is sent is what was recorded, byte for byte. A *stretch* is what one socket of a client gets:

- For one product, or products that shared a connection, it is a connection of the tape. Where that ended,
  the socket ends the same way: a close frame that was recorded is sent, anything else breaks the connection.
- Products asked for together that had connections of their own are merged by recv_time. The socket ends where
  one product's connection ended and another's lasted beyond the next of the first. Connections that all ended
  before any of them came back are one interruption, played at the last of those ends.
- A socket begins every book with a snapshot. A product whose connection was not interrupted is therefore sent
  from its connection's beginning again: up to the interruption at once, from there on time. The same is
  done for `--from` inside a connection. Nothing is made up, and no frame of the tape is left out.
- Products asked for in another message are played beside the first, on a clock of their own; an interruption
  of either ends the socket.

A client that asks for heartbeats, and for no book within a second, gets those that were recorded: on the
Advanced feed, where they belong to a connection, those of one product's, after an acknowledgement of ours.
Where none were recorded nothing more comes, and the socket ends as that connection did. A book that it asks
for after all begins from its stretch's start.

A client has no name. What is kept is a *seat* for each client of a set of products: the number of its next
stretch. The first client of a set begins with the first stretch, a client that comes while no seat is free
too; any other goes on where one left. A stretch counts as served once its last frame was sent: a client that
leaves before (or is made to by a fault) finds the same stretch again, from its start. After the last
stretch comes close 1000, and again for whoever comes back; with `--loop` the first stretch.

Modules: `script` finds the stretches, `merging` the order of their frames, `reel` reads them, `conversation`
answers a client, `endings` are the close frames, `seats` and `faults` remember, and at the edge `link` serves
one socket and `server` all. None but the last two knows sockets.
"""
