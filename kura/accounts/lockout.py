"""Whoever guesses passwords has to wait: what django-axes asks of us, and when the wait is over.

Failures are counted for a name and an address together, so that nobody can lock a colleague out
from somewhere else. A name is kept as its hash: people type passwords where their name belongs, and
neither a table nor a log should hold those. A name that nobody has is locked like any other, so a
lock tells nothing about who exists.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from kura.accounts.models import User

_SALT: Final = "kura.accounts.lockout"
_SHOWN: Final = 8  # hexadecimal digits of a hash in a line of the log
NETWORK_OF_ONE: Final = 64  # bits; whoever has one IPv6 address has all that share them


def name_of(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """Axes' AXES_USERNAME_CALLABLE. In any case, as people log in."""
    given = credentials or request.POST
    return hash_of(str(given.get("username") or given.get(User.USERNAME_FIELD) or ""))


def hash_of(name: str) -> str:
    return salted_hmac(_SALT, name.lower(), algorithm="sha256").hexdigest()


def address_of(request: HttpRequest) -> str | None:
    """Axes' AXES_CLIENT_IP_CALLABLE. What the nearest proxy saw; before it, a caller may lie."""
    seen = str(request.META.get("REMOTE_ADDR", ""))
    if settings.BEHIND_TLS_PROXY:
        forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
        return _network(forwarded.rpartition(",")[2].strip()) or _network(seen)
    return _network(seen)


def _network(written: str) -> str | None:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return None  # a socket's name, or nonsense
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    network = ipaddress.IPv6Network((int(address), NETWORK_OF_ONE), strict=False)
    return str(network.network_address)


def words_for_log(
    name_hash: str | None, _address: str | None, _agent: str, _path: str, _request: HttpRequest
) -> str:
    """Axes' AXES_CLIENT_STR_CALLABLE: enough to see that it is the same one again."""
    return f"account {(name_hash or '')[:_SHOWN]}"


def locked_until(
    request: HttpRequest, credentials: Mapping[str, Any] | None, *, now: datetime
) -> datetime:
    """When so many failures are forgotten that there is one attempt again."""
    failures = AccessAttempt.objects.filter(
        username=name_of(request, credentials),
        ip_address=address_of(request),
        attempt_time__gte=now - settings.AXES_COOLOFF_TIME,
    )
    counted = list(
        failures.order_by("attempt_time").values_list("attempt_time", "failures_since_start")
    )
    wait: timedelta = settings.AXES_COOLOFF_TIME
    left = sum(number for _when, number in counted)
    for when, number in counted:
        left -= number
        if left < settings.AXES_FAILURE_LIMIT:
            until: datetime = when + wait
            return until
    return now


def unlock(*, user: User) -> None:
    """Whoever gets a new password may use it at once."""
    AxesProxyHandler.reset_attempts(username=hash_of(user.get_username()))


def forget_failures(*, now: datetime) -> int:
    """Those that lock nobody any more. Returns how many rows went."""
    past = AccessAttempt.objects.filter(attempt_time__lt=now - settings.AXES_COOLOFF_TIME)
    removed, _ = past.delete()
    return int(removed)
