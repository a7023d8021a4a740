"""A tape served as the exchange: clients of its feed connect to it with nothing changed but the URL.

Frames are sent as they were recorded, byte for byte. Only if a venue numbers its messages, and a socket gets
a part of a recorded connection or several at once, their numbers are counted anew (`numbering`). A
*connection replay* is what one socket of a client gets, and the *playlist* of a set of products lists its
connection replays in order:

- For one product, or products that shared a connection, a connection replay is one connection of the tape.
  The socket ends as that connection did: by the recorded close frame, or without one if none was recorded.
- Products subscribed to together that had separate connections are merged by recv_time. The socket ends when
  one product's connection ended and another's lasted beyond the next connection of the first. Connections
  that all ended before any product came back count as one interruption, played at the last of those ends.
- Every book on a socket begins with a snapshot. A product whose connection was not interrupted is therefore
  sent again from the beginning of its connection: at once up to the interruption, on time from there on. The
  same happens if `--from` lies inside a connection. Nothing is invented, and no frame of the tape is left
  out.
- Products subscribed to in another message are replayed independently, on a clock of their own; an
  interruption of either ends the socket.

A client that subscribes to heartbeats, and to no book within a second, gets the recorded heartbeats. If the
venue's heartbeats belong to a connection, they are those of one product's connection, after a generated
acknowledgement. If none were recorded nothing more is sent, and the socket ends as that connection did. A
book subscribed to later begins from the start of its connection replay.

Clients have no names. For each set of products the server keeps the *positions* of the clients that left: the
number of the next connection replay. A new client takes the position that was freed first, or begins with the
first connection replay if none is free. A connection replay counts as served once its last frame was sent: if
a client leaves earlier, or a fault disconnects it, the next client gets the same one from its start. After
the last connection replay comes close 1000, again for every client that comes back; with `--loop` the first
one again.

Modules: `playlist` computes the connection replays, `frames` reads their frames, `merging` orders them and
`numbering` numbers them; `protocol` answers a client; `served_tape` is the state that clients share, `faults`
a part of it. Only `client`, which serves one socket, and `server`, which accepts them, do network I/O;
`sockets` helps both.
"""
