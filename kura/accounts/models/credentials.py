"""What programs log in with. Only hashes are kept; the text is shown once, when it is made.

A token (`kj_…`) is a person's and can do what that person may. An integration key (`ki_…`) is the
practice's own, does what its scopes say, and is nobody: it never lifts a block. Both are looked up
before anybody's organization is known, so their managers need no tenant scope.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken, get_digest_token
from rest_framework_api_key.crypto import KeyGenerator
from rest_framework_api_key.models import AbstractAPIKey, BaseAPIKeyManager

from kura.accounts.models.people import Organization, User
from kura.ids import time_ordered_uuid

TOKEN_PREFIX: Final = "kj_"  # noqa: S105  as settings.REST_KNOX has it
KEY_PREFIX: Final = "ki_"
SHOWN: Final = 15  # characters of a token by which its owner knows it
SEEN_EVERY: Final = timedelta(minutes=5)  # `last_used_at` is no more exact than this


class ApiTokenManager(models.Manager["ApiToken"]):
    def make(
        self,
        *,
        user: User,
        name: str,
        expires_at: datetime | None,
        scopes: Sequence[str] | None = None,
    ) -> tuple[ApiToken, str]:
        """The token, and its text to show once."""
        digest, text = get_digest_token()
        token = self.create(
            user=user,
            name=name,
            digest=digest,
            token_key=text[:SHOWN],
            expiry=expires_at,
            scopes=None if scopes is None else list(scopes),
        )
        return token, text


class ApiToken(AbstractAuthToken):  # type: ignore[misc]  # knox has no types
    """`scopes`: fewer than its owner's role has; NULL: all of them."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    digest = models.CharField(max_length=128, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=100)
    scopes = ArrayField(
        models.CharField(max_length=30), verbose_name=_("scopes"), null=True, blank=True
    )

    objects: ClassVar[ApiTokenManager] = ApiTokenManager()

    class Meta:
        db_table = "api_tokens"
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ("-created", "-id")

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"


class IntegrationKeyManager(BaseAPIKeyManager):
    """`create_key(organization=…, name=…, scopes=[…])` -> (key, the text to show once)."""

    key_generator = KeyGenerator(prefix_length=8, secret_key_length=40)

    def assign_key(self, obj: AbstractAPIKey) -> str:
        """The library would make an id of prefix and hash; the log names actors by UUID."""
        key, obj.prefix, obj.hashed_key = self.key_generator.generate()
        return KEY_PREFIX + key


class IntegrationKey(AbstractAPIKey):
    """`expiry_date` NULL: until it is revoked, which cannot be undone."""

    id = models.UUIDField(  # type: ignore[assignment]  # the library has a text
        primary_key=True, default=time_ordered_uuid, editable=False
    )
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="integration_keys",
        verbose_name=_("organization"),
    )
    name = models.CharField(_("name"), max_length=50)
    scopes = ArrayField(models.CharField(max_length=30), verbose_name=_("scopes"), default=list)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("created by"),
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    objects: ClassVar[IntegrationKeyManager] = IntegrationKeyManager()  # type: ignore[assignment]

    class Meta:
        db_table = "integration_keys"
        verbose_name = _("integration key")
        verbose_name_plural = _("integration keys")
        ordering = ("-created", "-id")

    def note_use(self) -> None:
        """At most one write in `SEEN_EVERY`, however many requests come at once."""
        stale = models.Q(last_used_at=None) | models.Q(last_used_at__lt=Now() - SEEN_EVERY)
        IntegrationKey.objects.filter(stale, pk=self.pk).update(last_used_at=Now())
