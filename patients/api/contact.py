"""What may be said about a patient: who they are and how to reach them."""

from __future__ import annotations

import uuid

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from kura.accounts.models import Language, User, validate_timezone
from kura.api.fields import Id, Moment, Text
from kura.api.serializers import Body


class NewPatient(Body):
    """`external_id`: this person's number in another system; nobody else may have it."""

    external_id = Text(required=False, allow_null=True, max_length=120)
    full_name = Text(max_length=200)
    email = serializers.EmailField(required=False, allow_blank=True, max_length=254)
    phone = Text(required=False, allow_blank=True, max_length=40)
    language = serializers.ChoiceField(choices=Language.choices, required=False)
    timezone = Text(required=False, allow_blank=True, validators=[validate_timezone])
    therapist_id = Id(required=False, allow_null=True)

    id = serializers.UUIDField(read_only=True)
    journey_status = serializers.DictField(read_only=True)
    journeys = serializers.ListField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    def validate_therapist_id(self, therapist_id: uuid.UUID | None) -> uuid.UUID | None:
        """Somebody else's colleague is as unknown as nobody."""
        practice = self.context["view"].caller.organization
        team = User.objects.filter(organization=practice, is_active=True)
        if therapist_id is not None and not team.filter(pk=therapist_id).exists():
            raise ValidationError(_("There is no such person in this practice."), code="unknown")
        return therapist_id


class PatientChange(NewPatient):
    """What is left out stays as it is."""

    full_name = Text(required=False, max_length=200)
