"""The core: the decisions of a connection, without clock, socket, random numbers or asyncio.

How it works:

*Connection.* What the user wants kept. It has a ``Status``, the one thing that an application shows: for example
CONNECTED, WAITING for the next attempt, or EXHAUSTED. ``Connection.handle(event, now)`` takes one event and returns
commands. It never performs anything itself, so the same events at the same times always give the same commands.

*From an event to commands.* The event becomes a trigger, such as ``LOST``. The row of ``states.STATUS_TABLE`` for the
status and the trigger names an action and the statuses that it may lead to. The action is a method of ``Actions``;
it appends commands, such as ``SetTimer`` or ``OpenSocket``. ``WebSocketService`` carries them out in order, and what
comes of them returns as new events. A pair that is not in the table is ignored.

*Link.* One WebSocket with its token and its preparation. It is opened (token, then handshake), then proven: the
server has accepted it (``ready``) and the application has prepared it. Events name their link by a number; events
of a link that was abandoned are ignored. The current link carries the application's frames.

*Doubt and probe.* An open socket says nothing about the network behind it. So a ping goes out every 30 s, and
anything that arrives proves that the link is alive. When a pong is late, or the machine may have slept, the link is
doubted: the status is SUSPECT, and a probe (one more ping) goes out. Any frame ends the doubt; silence for 5 s more
ends the link.

*Rollover and candidate.* Gateways close links after a fixed time, and tokens expire. Before that, a candidate is
opened beside the current link. Once it is proven it becomes the current link; the old one retires after a few
seconds. If it fails, nothing is lost, and another one follows. If the current link fails first, the candidate
becomes the attempt. Where the server answers no probe, a doubt opens a candidate instead. ``rollover.py`` tells it
step by step.

*Budget and delay.* A lost link is followed by attempts. The budget is how many retries are left (5); it is full
again as soon as a server serves us, or the page is shown. The delay is the wait before the next attempt (1, 2, 4, 8,
16 s, with jitter); it starts at its first step again only after a link has been up for a while, so that a server
that accepts and drops is not overloaded. A server can also name a time before which no attempt is made.
"""
