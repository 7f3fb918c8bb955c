"""What a journey can refuse, by name: code for programs, sentence for people, constraint if the
database refuses it too.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from kura.errors import KuraError


class PatientNotFound(KuraError):
    message = _("There is no such patient.")
    code = "not_found"
    status = 404
    constraint = "journey_log_known_patient"


class UnknownJourney(KuraError):
    message = _("This practice has no journey “{journey_key}”.")
    code = "unknown_journey"
    status = 422
    constraint = "journey_log_known_journey"


class NotEnrolled(KuraError):
    message = _("The patient is not enrolled in “{journey}”.")
    code = "not_enrolled"
    status = 404


class StageNotAllowed(KuraError):
    message = _("“{to_stage}” is no stage of “{journey}”.")
    code = "stage_not_allowed"
    status = 422
    constraint = "journey_log_allowed_stage"
    members = ("allowed_stages",)


class StageMoved(KuraError):
    message = _("Somebody else moved this patient in the meantime. Look again before you move.")
    code = "stage_moved"
    status = 409
    constraint = "journey_log_stage_moved"


class StageUnchanged(KuraError):
    message = _("The patient is in “{to_label}” already.")
    code = "stage_unchanged"
    status = 409
    constraint = "journey_log_is_move"


class JourneyBlocked(KuraError):
    message = _("The journey is blocked in “{from_label}”. Only a therapist may lift the block.")
    code = "journey_blocked"
    status = 409
    members = ("blocked",)


class ReviewedOneByOne(KuraError):
    message = _("Blocked in “{from_label}”: a block is reviewed on its own page, one by one.")
    code = "reviewed_one_by_one"
    status = 409


class UnblockNeedsPerson(KuraError):
    message = _(
        "Lifting a block needs a person of this practice who is active, and a reason. "
        "Automation never lifts one."
    )
    code = "unblock_needs_person"
    status = 409
    constraint = "journey_log_unblock_needs_person"


class UnblockNotPermitted(KuraError):
    message = _("The journey is blocked and you may not lift blocks. Ask a therapist.")
    code = "unblock_not_permitted"
    status = 403


class MoveNotPermitted(KuraError):
    message = _("You may not do this. Ask a manager for the permission.")
    code = "permission_denied"
    status = 403


class TransitionNotPermitted(KuraError):
    message = _("The template does not allow this move: “{from_label}” to “{to_label}”.")
    code = "transition_not_permitted"
    status = 409
    members = (
        "from_stage",
        "allowed_to",
    )


class EntryNotPermitted(KuraError):
    message = _("The template does not allow patients to begin in “{to_label}”.")
    code = "transition_not_permitted"
    status = 409
    members = (
        "from_stage",
        "allowed_to",
    )


class GuardFailed(KuraError):
    message = _("Not yet possible. Missing: {missing_words}.")
    code = "guard_failed"
    status = 409
    members = ("missing",)


class JourneyClosed(KuraError):
    message = _("This journey is closed. To begin again, enroll the patient anew.")
    code = "journey_closed"
    status = 409


class AlreadyEnrolled(KuraError):
    message = _("The patient is enrolled in “{journey}” already.")
    code = "already_enrolled"
    status = 409


class NotBlocked(KuraError):
    message = _("This journey is not blocked.")
    code = "not_blocked"
    status = 409


class TargetRequired(KuraError):
    message = _("The stage before the block no longer exists. Choose the stage to go on in.")
    code = "target_required"
    status = 422


class TemplateInactive(KuraError):
    message = _("“{journey}” is inactive and takes no new patients.")
    code = "template_inactive"
    status = 422
    constraint = "journey_template_inactive"


class ReasonRequired(KuraError):
    message = _("Give a reason of at least {minimum} characters.")
    code = "reason_required"
    status = 422


class ReasonCodeRequired(KuraError):
    message = _("Choose why: lifting a block needs a kind of reason besides the words.")
    code = "reason_code_required"
    status = 422


class InvalidReasonCode(KuraError):
    message = _("“{reason_code}” is no kind of reason: small letters, digits and underscores.")
    code = "invalid_reason_code"
    status = 422
    constraint = "journey_log_reason_code_form"


class UnstorableText(KuraError):
    message = _("The text holds characters that cannot be stored. Type it anew.")
    code = "unstorable_text"
    status = 400


class ReadCommitted(KuraError):
    message = _("Moves and template edits need the isolation level READ COMMITTED.")
    code = "read_committed_required"
    status = 500
    constraint = "journey_log_read_committed"


class TimeOrder(KuraError):
    message = _("A move cannot lie in the future or before the previous move.")
    code = "time_order"
    status = 422
    constraint = "journey_log_time_order"


class OneOrganization(KuraError):
    message = _("Patient, template, event and person must belong to one practice.")
    code = "one_organization"
    status = 409
    constraint = "journey_log_one_organization"


class EventOneOrganization(OneOrganization):
    constraint = "system_event_one_organization"


class LogAppendOnly(KuraError):
    message = _("The journey log is appended to and never changed.")
    code = "journey_log_append_only"
    status = 409
    constraint = "journey_log_append_only"


class EventAppendOnly(KuraError):
    message = _("The event log is appended to and never changed.")
    code = "system_event_append_only"
    status = 409
    constraint = "system_event_append_only"


class StatusFollowsLog(KuraError):
    message = _("The journey status says what the journey log says. Move the patient instead.")
    code = "journey_status_follows_log"
    status = 409
    constraint = "journey_status_follows_log"


class EnrollmentFollowsLog(StatusFollowsLog):
    code = "journey_enrollment_follows_log"
    constraint = "journey_enrollment_follows_log"


class NoteEraseOnly(KuraError):
    message = _("A reason is written with its move and can only be erased afterwards.")
    code = "journey_log_note_erase_only"
    status = 409
    constraint = "journey_log_note_erase_only"


class PayloadEraseOnly(KuraError):
    message = _("What an event said is written with it and can only be erased afterwards.")
    code = "system_event_payload_erase_only"
    status = 409
    constraint = "system_event_payload_erase_only"


class ReviewOfBlock(KuraError):
    message = _("A review is about a block that stands, by somebody who works in the practice.")
    code = "block_review_of_block"
    status = 409
    constraint = "block_review_of_block"


class ReviewEraseOnly(KuraError):
    message = _("A review is written once; only its note can be erased.")
    code = "block_review_erase_only"
    status = 409
    constraint = "block_review_erase_only"


class EventTime(KuraError):
    message = _("An event happened after 1900, and at most one day ahead of our clock.")
    code = "event_time"
    status = 422
    constraint = "system_event_time"


class InvalidTemplate(KuraError):
    """`problems`: one sentence each, all of them at once."""

    message = _("The template cannot be saved. {problem_words}")
    code = "invalid_template"
    status = 422


class InvalidTemplateFile(KuraError):
    """`problems`: one sentence each, all of them at once."""

    message = _("The file cannot be read as a template. {problem_words}")
    code = "invalid_template_file"
    status = 422


class StageInUse(KuraError):
    message = _(
        "“{stage}” cannot be removed or redefined: {standing} patients stand there. "
        "Move them first."
    )
    code = "stage_in_use"
    status = 409
    constraint = "journey_stage_in_use"
    members = (
        "stage_code",
        "standing",
    )


class StageInHistory(KuraError):
    message = _(
        "“{stage}” is part of patients' histories: its code and its status stay as they are. "
        "Make a new stage instead."
    )
    code = "stage_in_history"
    status = 409
    members = ("stage_code",)


class TemplateNotFound(KuraError):
    message = _("There is no such journey template.")
    code = "not_found"
    status = 404


class TemplateChanged(KuraError):
    message = _("Somebody else edited this template in the meantime. Look again before you save.")
    code = "stale_write"
    status = 412
    members = ("current_version",)


class InitialStageMissing(KuraError):
    message = _("Patients begin in this stage: choose another initial stage first.")
    code = "initial_stage_missing"
    status = 409
    constraint = "journey_template_initial_stage"


class TemplateInUse(KuraError):
    message = _("Patients are or were enrolled in “{journey}”: its key cannot change.")
    code = "template_in_use"
    status = 409
    constraint = "journey_template_in_use"


class TemplateKeyTaken(KuraError):
    message = _("A template with the key “{journey_key}” exists already.")
    code = "template_key_taken"
    status = 409
    constraint = "journey_template_key_once"


class LogRowNotFound(KuraError):
    message = _("There is no such row in the journey log.")
    code = "not_found"
    status = 404


class VerificationTooLong(KuraError):
    message = _("There is too much to check in that time.")
    code = "verification_too_long"
    status = 503
