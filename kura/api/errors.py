"""What the HTTP edge itself refuses, by name. Everything else is refused by the floors."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from kura.errors import KuraError


class ParseError(KuraError):
    """`why`: what cannot be read, as a sentence."""

    message = _("The body cannot be read. {why}")
    code = "parse_error"
    status = 400


class UnknownHost(KuraError):
    """The request's Host is none of ours: a proxy in front, or the setting, is not right."""

    message = _("This server does not answer to the host name that was asked (ALLOWED_HOSTS).")
    code = "parse_error"
    status = 400


class PayloadTooLarge(KuraError):
    message = _("The body is longer than {limit} KiB.")
    code = "payload_too_large"
    status = 413
    members = ("limit",)


class InvalidParameter(KuraError):
    """`problems`: [{"code", "detail", "parameter"}], all of them at once."""

    message = _("The query is not understood.")
    code = "invalid_parameter"
    status = 400


class InvalidCursor(KuraError):
    message = _("This cursor leads nowhere any more. Begin with the first page.")
    code = "invalid_cursor"
    status = 400


class IdempotencyKeyInvalid(KuraError):
    message = _("An Idempotency-Key is 1 to 255 visible ASCII characters, in quotes or without.")
    code = "idempotency_key_invalid"
    status = 400


class IdempotencyInProgress(KuraError):
    message = _("The first request with this Idempotency-Key is still running. Ask again.")
    code = "idempotency_in_progress"
    status = 409


class IdempotentRequestDiffers(KuraError):
    message = _(
        "This Idempotency-Key was used for another request. Nothing was changed: "
        "send the new request under a key of its own."
    )
    code = "idempotency_key_reused"
    status = 422


class StaleWrite(KuraError):
    """`current_version`: the one that a new attempt has to name."""

    message = _("Somebody else has changed this in the meantime. Look at it again.")
    code = "stale_write"
    status = 412
    members = ("current_version",)


class PreconditionRequired(KuraError):
    message = _("This practice asks for If-Match with the version that you have looked at.")
    code = "precondition_required"
    status = 428


class RateLimited(KuraError):
    message = _("Too many requests. Wait {retry_after} seconds.")
    code = "rate_limited"
    status = 429


class CsrfFailed(KuraError):
    """Also a page of another origin, whatever it sends."""

    message = _(
        "The X-CSRFToken header is missing or old (/api/v1/auth/csrf gives a new one), "
        "or the page is not of this server’s own origin."
    )
    code = "csrf_failed"
    status = 403


class CrossSiteRequest(KuraError):
    message = _("Another site's page may not do this.")
    code = "cross_site_request"
    status = 403


class InvalidCredentials(KuraError):
    message = _("The e-mail address or the password is wrong.")
    code = "invalid_credentials"
    status = 401


class Unavailable(KuraError):
    message = _("Kura cannot answer at the moment. Try again.")
    code = "unavailable"
    status = 503


class NotFound(KuraError):
    message = _("There is nothing here.")
    code = "not_found"
    status = 404
