"""Starts the fieldbus servers that a program's manifest names, where the board has a network."""

# What bus.modbus.tcp.serve takes from the manifest's row.
_LIMITS = ("max_clients", "idle_s", "frame_s", "stall_s", "evict_s", "settle_s")


async def start(rows, session, port=None, settle_s=0.1):
    """Starts the servers of manifest["servers"] on the image and mailbox of `session`; returns
    (running, notes).

    `running` is a list of (kind, port, server), `notes` says for people what was not started and
    why: a controller without its network still has to control. A row has "map" (rows as in
    bus/modbus/map.py) and may have "port", "host", "unit" and the limits of serve(). `port`
    overrides what the rows say (0: the system chooses). `settle_s` is how long a write waits for
    the release it takes effect at before it is confirmed all the same.
    """
    running = []
    notes = []
    for kind in sorted(rows):
        row = rows[kind]
        if kind != "modbus-tcp":
            notes.append("server %s is not known to this version; it is not started" % kind)
            continue
        try:
            import socket  # noqa: F401  before what needs it, which is large

            from bus.modbus.map import RegisterMap
            from bus.modbus.pdu import Core
            from bus.modbus.tcp import serve
        except ImportError as error:
            notes.append("server %s is not started: no network here (%s)" % (kind, error))
            continue
        try:
            units = row.get("unit")
            units = None if units is None else (units,)
            core = Core(RegisterMap(row["map"], session.image.data, session.mailbox), units)
            limits = {"settle_s": settle_s}
            limits.update({key: row[key] for key in _LIMITS if key in row})
            at = row.get("port", 502) if port is None else port
            server = await serve(core, row.get("host", "0.0.0.0"), at, **limits)
        except (OSError, ValueError, KeyError) as error:
            # The text of an OSError that says what to do, without its number.
            text = error.args[1] if len(error.args) > 1 else repr(error)
            notes.append("server %s is not started: %s" % (kind, text))
            continue
        running.append((kind, server.port, server))
    return running, notes
