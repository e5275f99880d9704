"""What can go wrong between us and an endpoint. Two kinds only: try again, or do not.

No message ever quotes what the endpoint said: model servers echo the rows they were sent
(SERVING 1.5), and rows are somebody's data.
"""

from __future__ import annotations

from common.errors import DomainError, Invalid, Unavailable


class EndpointUnavailable(Unavailable):
    """It did not answer, or answered that it is in trouble: the same call may work later.

    Codes: ``timeout``, ``unreachable``, ``throttled``, ``http_5xx`` with the number.
    """

    code = "endpoint_unavailable"
    title = "The endpoint did not answer"


class EndpointRejected(DomainError):
    """It answered, and the answer is none that we can use: the same call will not work later.

    Codes: ``refused_address``, ``redirected``, ``unauthorized``, ``no_such_path``, ``bad_rows``,
    ``http_4xx`` with the number, ``bad_json``, ``too_large``, ``wrong_shape``, ``wrong_count``,
    ``not_a_number``.
    """

    code = "endpoint_rejected"
    title = "The endpoint's answer cannot be used"


class EndpointRefused(Invalid):
    """This URL is not one that we dial, whoever asks."""

    code = "address_refused"
    title = "This address is refused"
