"""What automation can refuse, by name."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from kura.api.errors import Unavailable
from kura.errors import KuraError


class UnknownEventType(KuraError):
    message = _("“{event_type}” is no kind of event. Your own begin with CUSTOM.")
    code = "unknown_event_type"
    status = 422


class EventTypeReserved(KuraError):
    message = _("“{event_type}” is recorded by Kura itself and by nobody else.")
    code = "event_type_reserved"
    status = 403


class SourceNotTrusted(KuraError):
    message = _("The source “{source}” is a public form and may not assert “{event_type}”.")
    code = "source_not_trusted"
    status = 403


class EventIdRequired(KuraError):
    message = _("Give the event an id of 1 to 255 characters that is its own for ever.")
    code = "event_id_required"
    status = 400


class InvalidSource(KuraError):
    message = _("A source is 1 to 100 letters, digits, dots, colons, hyphens or underscores.")
    code = "validation_error"
    status = 400


class InvalidSubject(KuraError):
    message = _("Name the patient by one of id, external_id or email.")
    code = "validation_error"
    status = 400


class InvalidJourneyKey(KuraError):
    message = _("A journey key has 1 to 60 small letters, digits, hyphens or underscores.")
    code = "validation_error"
    status = 400


class InvalidPayload(KuraError):
    """`problems`: [{"pointer", "detail"}], all of them at once."""

    message = _("The contents of the event do not fit its kind. {problem_words}")
    code = "validation_error"
    status = 400


class IdempotencyKeyReused(KuraError):
    message = _(
        "An event with this id came from this source before and said something else. "
        "Nothing was changed: send the new event under an id of its own."
    )
    code = "idempotency_key_reused"
    status = 422


class Superseded(KuraError):
    message = _("A newer event of the same source has moved the patient already.")
    code = "superseded"
    status = 409


class BlockPending(KuraError):
    message = _(
        "An event that may block this patient could not be processed. "
        "A person decides about it first: try it again, or skip it."
    )
    code = "block_pending"
    status = 409


class LoopBudget(KuraError):
    message = _("The chain of causes is too long: it was stopped here.")
    code = "loop_budget"
    status = 409


class EventNotFound(KuraError):
    message = _("There is no such event.")
    code = "not_found"
    status = 404


class NotDecidable(KuraError):
    message = _("This event is not waiting for a decision any more. Look again.")
    code = "not_decidable"
    status = 409


class DecisionNotPermitted(KuraError):
    message = _("You may not decide about events. Ask a therapist or a manager.")
    code = "permission_denied"
    status = 403


class MessageNotFound(KuraError):
    message = _("There is no such message.")
    code = "not_found"
    status = 404


class NotResendable(KuraError):
    message = _("Only a message that failed, or that perhaps arrived, can be sent again.")
    code = "not_resendable"
    status = 409


class MessageOutdated(KuraError):
    """`why`: what has happened since it was written."""

    message = _("This message is not true any more: {why}.")
    code = "message_outdated"
    status = 409


class ResendNotPermitted(KuraError):
    message = _("You may not send messages again. Ask a therapist or a manager.")
    code = "permission_denied"
    status = 403


class NoAddress(KuraError):
    message = _("There is no valid e-mail address. Correct it first.")
    code = "no_address"
    status = 422


class TaskNotFound(KuraError):
    message = _("There is no such task.")
    code = "not_found"
    status = 404


class TaskDone(KuraError):
    message = _("{person} has already marked this task as done.")
    code = "task_done"
    status = 409


class EventUndecided(KuraError):
    message = _("Decide about the event first: try it again, or skip it. That ends the task.")
    code = "event_undecided"
    status = 409


class TaskNotPermitted(KuraError):
    message = _("You may not mark tasks as done. Ask a therapist or a manager.")
    code = "permission_denied"
    status = 403


class EnrollmentNotFound(KuraError):
    message = _("There is no such enrollment.")
    code = "not_found"
    status = 404


class PauseNotPermitted(KuraError):
    message = _("You may not pause reminders. Ask a therapist or a manager.")
    code = "permission_denied"
    status = 403


class PauseLength(KuraError):
    message = _("Choose a day after today and within {days} days.")
    code = "pause_length"
    status = 422


class NotPaused(KuraError):
    message = _("The reminders of this journey are not paused.")
    code = "not_paused"
    status = 409


class InvalidRule(KuraError):
    """`problems`: a list of `automation.problems.Problem`, all of them at once."""

    message = _("The rule cannot be saved. {problem_words}")
    code = "validation_error"
    status = 400


class RuleCycle(KuraError):
    """`path`: the rules of the cycle by name, the first one again at the end."""

    message = _("These rules would call each other without end: {path_words}.")
    code = "rule_cycle"
    status = 409
    members = ("path",)


class RuleNotFound(KuraError):
    message = _("There is no such rule.")
    code = "not_found"
    status = 404


class RuleChanged(KuraError):
    """`current_version`: the published one now."""

    message = _("Somebody else has changed this rule since you opened it. Look at it again.")
    code = "rule_changed"
    status = 409


class RuleNotPermitted(KuraError):
    message = _("You may not change rules. Ask a manager.")
    code = "permission_denied"
    status = 403


class RuleArchived(KuraError):
    message = _("This rule is archived: it can be read, but neither changed nor switched on.")
    code = "rule_archived"
    status = 409


class NoDraft(KuraError):
    message = _("There is no draft of this rule that could be published.")
    code = "no_draft"
    status = 409


class ReadyRuleUnfit(KuraError):
    """A ready rule needs what the practice's journey of that key does not have."""

    message = _(
        "The ready rule “{rule_name}” does not fit your journey {journey_key}, so none was "
        "installed: {problem_words} Install only those of other journeys, or write the rule anew."
    )
    code = "ready_rule_unfit"
    status = 422
    members = ("rule_code", "journey_key")


class ReadyRuleInstalled(KuraError):
    message = _("This ready rule is installed already.")
    code = "ready_rule_installed"
    status = 409
    constraint = "automation_rule_code_once"


class BacktestTimeout(Unavailable):
    message = _("There was not enough time to try this rule. Choose a shorter period.")
    code = "backtest_timeout"


class RuleSwitchKept(KuraError):
    message = _("Who switched a rule on or off is kept as it is.")
    code = "rule_switch_append_only"
    status = 409
    constraint = "rule_switch_append_only"


class RuleVersionKept(KuraError):
    message = _("A published version of a rule is kept as it is.")
    code = "rule_version_append_only"
    status = 409
    constraint = "rule_version_append_only"


class DecisionKept(KuraError):
    message = _("A decision about an event is kept as it is.")
    code = "event_decision_append_only"
    status = 409
    constraint = "event_decision_append_only"


class CheckInProgress(KuraError):
    message = _("Another check is at work. Wait a moment and look at what it found.")
    code = "check_in_progress"
    status = 409
