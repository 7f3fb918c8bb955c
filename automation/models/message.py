"""The outbox: what shall be told to whom. Written with its cause, sent after the commit.

Holds addresses and words, so rows may be erased; that a message was sent stays in the run.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from automation.models.rule import AutomationRule
from journeys.models.event import SystemEventLog
from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager
from patients.models import Patient


class MessageState(models.TextChoices):
    QUEUED = "queued", _("Waiting")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Perhaps sent")
    CANCELLED = "cancelled", _("Cancelled")


class Audience(models.TextChoices):
    PATIENT = "patient", _("Patient")
    THERAPIST = "therapist", _("Therapist")
    PRACTICE = "practice", _("Practice")


# Why a message is where it is, when it was not the mail server that said so.
REASONS = {
    "erased": _("the patient's data were erased"),
    "left_stage": _("the patient has left the stage it was about"),
    "newer_reminder": _("a newer reminder takes its place"),
    "on_hold": _("withheld: a journey of the patient is on hold"),
    "paused": _("withheld: reminders to the patient are paused"),
    "reminded_recently": _("withheld: the patient was reminded a short time ago"),
    "quiet_hours": _("withheld: quiet hours, on the patient's clock"),
    "mail_not_set_up": _("sending mail is not set up"),
    "bad_message": _("it could not be written as an e-mail"),
    "no_answer_to_data": _("the mail server took it and did not answer"),
    "worker_died": _("sending was interrupted"),
}


class Message(models.Model):
    """`enrollment_id`, `stage` and `stage_seq`: what it is about; cancelled when that was left.

    `is_reminder`: withheld while a journey of the patient is on hold. `tried_since`: when it was
    written, or not kept back any more; 72 hours later it has failed.
    """

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("organization"),
    )
    patient = models.ForeignKey(
        Patient,
        on_delete=models.PROTECT,
        null=True,
        related_name="messages",
        db_index=False,
        verbose_name=_("patient"),
    )
    event = models.ForeignKey(
        SystemEventLog,
        on_delete=models.PROTECT,
        related_name="messages",
        db_index=False,
        verbose_name=_("event"),
    )
    rule = models.ForeignKey(
        AutomationRule,
        on_delete=models.PROTECT,
        related_name="messages",
        db_index=False,
        verbose_name=_("rule"),
    )
    action_index = models.PositiveSmallIntegerField(_("action"))
    audience = models.CharField(_("for"), max_length=12, choices=Audience)
    channel = models.CharField(_("channel"), max_length=12, default="email")
    recipient = models.EmailField(_("to"), max_length=254)
    language = models.CharField(_("language"), max_length=2)
    subject = models.CharField(_("subject"), max_length=200)
    body = models.TextField(_("text"))
    journey_key = models.CharField(_("journey key"), max_length=60, blank=True, default="")
    enrollment_id = models.UUIDField(_("enrollment"), null=True)
    stage = models.CharField(_("stage"), max_length=60, blank=True, default="")
    stage_seq = models.PositiveIntegerField(_("move number"), null=True)
    is_reminder = models.BooleanField(_("reminder"), default=False)
    state = models.CharField(
        _("state"), max_length=12, choices=MessageState, default=MessageState.QUEUED
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"))
    tried_since = models.DateTimeField(_("first attempt"), null=True)
    claimed_at = models.DateTimeField(_("taken"), null=True)
    claim = models.UUIDField(null=True, editable=False)
    message_id = models.CharField(_("message id"), max_length=200, blank=True, default="")
    last_error = models.CharField(_("last error"), max_length=200, blank=True, default="")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent"), null=True)

    objects = TenantManager["Message"]()

    class Meta:
        db_table = "messages"
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-created_at", "-id")
        permissions = [("resend_message", "Can send a message again")]
        constraints = [
            models.UniqueConstraint(
                fields=("event", "rule", "action_index", "recipient"), name="message_once"
            ),
            models.CheckConstraint(
                name="message_state_known", condition=models.Q(state__in=MessageState.values)
            ),
        ]
        indexes = [
            models.Index(
                fields=("organization", "next_attempt_at", "id"),
                condition=models.Q(state="queued"),
                name="ix_messages_queued",
            ),
            models.Index(
                fields=("claimed_at",),
                condition=models.Q(state="sending"),
                name="ix_messages_sending",
            ),
            models.Index(fields=("organization", "-created_at"), name="ix_messages_recent"),
            models.Index(fields=("patient", "-created_at"), name="ix_messages_of_patient"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def why(self) -> str:
        """`last_error` in words; what a mail server said stays as it said it."""
        return str(REASONS.get(self.last_error, self.last_error))
