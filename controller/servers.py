"""Starts the fieldbus servers that a program's manifest names, where the board can run them."""

# What bus.modbus.tcp.serve takes from the manifest's row.
_LIMITS = ("max_clients", "idle_s", "frame_s", "stall_s", "evict_s", "settle_s")


def _core(row, session, units):
    from bus.modbus.map import RegisterMap
    from bus.modbus.pdu import Core

    return Core(RegisterMap(row["map"], session.image.data, session.mailbox), units)


async def _start_tcp(row, session, port, settle_s):
    """A row may have "port", "host", "unit" and the limits of serve(). `port` overrides what the
    row says (0: the system chooses)."""
    try:
        import socket  # noqa: F401  before what needs it, which is large

        from bus.modbus.tcp import serve
    except ImportError as error:
        raise OSError(0, "no network here (%s)" % error)
    units = row.get("unit")
    core = _core(row, session, None if units is None else (units,))
    limits = {"settle_s": settle_s}
    limits.update({key: row[key] for key in _LIMITS if key in row})
    at = row.get("port", 502) if port is None else port
    server = await serve(core, row.get("host", "0.0.0.0"), at, **limits)
    return server, {"port": server.port}


async def _start_rtu(row, session, port, settle_s):
    """A row has "uart", "tx", "rx", "unit", "baud", "parity" and "stop", and may have "de"."""
    pins = session.pins
    if pins is None or not hasattr(pins, "uart"):
        raise OSError(0, "no UART here")
    from bus.modbus.rtu import serve

    core = _core(row, session, None)
    parity = row["parity"]
    bits = 9 + (parity != "none") + row["stop"]
    de = timer = None
    if row.get("de"):
        de = pins.digital_out(row["de"], 0)
        timer = pins.timer()
    uart = pins.uart(row["uart"], row["baud"], parity, row["stop"], row["tx"], row["rx"])
    server = await serve(
        core, uart, row["unit"], row["baud"], bits, de=de, timer=timer, settle_s=settle_s
    )
    return server, {"uart": row["uart"], "unit": row["unit"]}


_KINDS = {"modbus-tcp": _start_tcp, "modbus-rtu": _start_rtu}


async def start(rows, session, port=None, settle_s=0.1):
    """Starts the servers of manifest["servers"] on the image, mailbox and pins of `session`;
    returns (running, notes).

    `running` is a list of (kind, place, server), `place` a dict that says where it listens: its
    "port", or its "uart" and "unit". `notes` says for people what was not started and why: a
    controller without its network still has to control. A row has "map" (rows as in
    bus/modbus/map.py) and what the server of its kind needs. `settle_s` is how long a write waits
    for the release it takes effect at before it is confirmed all the same.
    """
    running = []
    notes = []
    for kind in sorted(rows):
        if kind not in _KINDS:
            notes.append("server %s is not known to this version; it is not started" % kind)
            continue
        try:
            server, place = await _KINDS[kind](rows[kind], session, port, settle_s)
        except (OSError, ValueError, KeyError) as error:
            # The text of an OSError that says what to do, without its number.
            text = error.args[1] if len(error.args) > 1 else repr(error)
            notes.append("server %s is not started: %s" % (kind, text))
            continue
        running.append((kind, place, server))
    return running, notes
