"""Says why a read by wire did not read. Nothing was read, and the driver may well be able to."""


class FallBackToDriver(Exception):
    """Raised by a read by wire, caught by the store, which has the driver read. Clients see nothing of it."""


class UnknownPymongo(FallBackToDriver):
    """Raised if PyMongo's inside is not as we know it. The driver reads from then on, and one line is logged."""
