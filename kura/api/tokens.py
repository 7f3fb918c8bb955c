"""A person's own tokens: made, listed without their secret, revoked.

A token never gives more than what it was made with: a narrow one cannot make a wide one, and none
makes one that outlasts it.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Final, cast

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kura.accounts.models import ApiToken, User
from kura.api.errors import NotFound
from kura.api.fields import Moment, Text, Whole
from kura.api.pagination import Ordering, PageQuery, page_of
from kura.api.scopes import ANYBODY, SCOPES
from kura.api.serializers import Body
from kura.api.views import ApiView, no_content

LONGEST: Final = 365  # days
USUAL: Final = 30  # days
NEWEST: Final = Ordering("-created")


class NewToken(Body):
    name = Text(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(SCOPES)), required=False, allow_empty=False
    )
    expires_in_days = Whole(min_value=1, max_value=LONGEST, default=USUAL)

    def validate_scopes(self, asked: list[str]) -> list[str]:
        missing = set(asked) - self.context["view"].caller.scopes
        if missing:
            names = ", ".join(sorted(missing))
            raise serializers.ValidationError(
                _("You do not have these yourself: {scopes}.").format(scopes=names), code="invalid"
            )
        return sorted(set(asked))


class Token(serializers.ModelSerializer[ApiToken]):
    """`scopes` null: all that its owner's role has. `prefix` is how its text begins.

    `expires_at` null: when it is revoked.
    """

    prefix = serializers.CharField(source="token_key", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True, read_only=True)
    expires_at = Moment(source="expiry", allow_null=True, read_only=True)
    created_at = Moment(source="created", read_only=True)

    class Meta:
        model = ApiToken
        fields = ("id", "name", "prefix", "scopes", "expires_at", "created_at")


class MadeToken(Token):
    """`token`: shown this once."""

    token = serializers.CharField(read_only=True)

    class Meta:
        model = ApiToken
        fields = (*Token.Meta.fields, "token")


class TokensView(ApiView):
    """One's own tokens. The secret is in the answer that made it, and never again."""

    summaries = {"GET": "List your tokens", "POST": "Make a token"}
    scopes = {"GET": ANYBODY, "POST": ANYBODY}
    queries = {"GET": PageQuery}
    bodies = {"POST": NewToken}
    answers = {"GET": {200: page_of(Token)}, "POST": {201: MadeToken}}
    users_only = True
    keeps_answers = False  # the secret would be kept with them

    def get(self, request: Request) -> Response:
        own = ApiToken.objects.filter(user=self.caller.user)
        return NEWEST.page(request, own, self.query, lambda rows: Token(rows, many=True).data)

    def post(self, request: Request) -> Response:  # noqa: ARG002
        token, text = self._made(self.body(NewToken))
        return Response({**Token(token).data, "token": text}, status=201)

    def _made(self, wanted: dict[str, Any]) -> tuple[ApiToken, str]:
        return ApiToken.objects.make(
            user=cast("User", self.caller.user),
            name=wanted["name"],
            scopes=wanted.get("scopes", self._inherited()),
            expires_at=self._end(timedelta(days=wanted["expires_in_days"])),
        )

    def _end(self, asked: timedelta) -> datetime:
        """As asked, but not after the token that makes it: one that leaked would live for ever."""
        end = timezone.now() + asked
        return min(end, self.caller.ends_at) if self.caller.ends_at else end

    def _inherited(self) -> list[str] | None:
        """A log-in's token follows its owner's role; a token's has what that token has."""
        is_token = "Authorization" in self.request.headers
        return sorted(self.caller.scopes) if is_token else None


class TokenView(ApiView):
    """A revoked token stops at once, also the one that is calling."""

    summaries = {"DELETE": "Revoke a token"}
    scopes = {"DELETE": ANYBODY}
    answers = {"DELETE": {204: None}}
    users_only = True

    def delete(self, request: Request, token_id: uuid.UUID) -> Response:  # noqa: ARG002
        removed, _rows = ApiToken.objects.filter(user=self.caller.user, pk=token_id).delete()
        if not removed:
            raise NotFound
        return no_content()
