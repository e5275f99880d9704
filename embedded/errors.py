"""What may go wrong with the embedded services, in words a newcomer can act upon."""


class EmbeddedError(Exception):
    """An embedded service could not be started, found or stopped; the text says what to do."""


class PortTaken(EmbeddedError):
    """Somebody else listens on a port we were told to use."""

    def __init__(self, what: str, port: int, pid: int | None) -> None:
        self.port = port
        self.pid = pid
        by = f" by process {pid}" if pid else ""
        super().__init__(
            f"Port {port} for {what} is taken{by}. Choose another block of ports with PORT=… "
            f"(or --port), let us choose with --free-ports, or stop that process."
        )
