"""The page of a rule, to read: in words and as nodes, the draft beside it, its runs, its versions,
who switched it, and the ways to change it that its reader has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Q
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from automation.actions.base import Practice
from automation.admin.dry_runs import as_mapping, edit_url_of, named_by
from automation.admin.for_whom import counts_for
from automation.admin.rule_form.fields import Mistake
from automation.admin.rule_nodes import rule_nodes
from automation.admin.rule_pages import CHANGE, is_timeout
from automation.admin.runs import runs_of
from automation.admin.sight import sight_of
from automation.engine import readable_actions
from automation.models.rule import AutomationRule, RuleSwitch, RuleVersion
from automation.models.run import RuleRun, RunStatus
from automation.selectors.event_page import Sight
from automation.sentences import (
    RuleWords,
    action_words,
    joined,
    readable_condition,
    words_of_rule,
)
from automation.services.rules import UNPUBLISHED
from automation.validation import problems_of
from automation.vocabulary import practice_fields
from automation.wording import error_words
from journeys.admin.nodes import Node
from kura.accounts.models import User

LATELY: Final = timedelta(days=30)
SHOWN_RUNS: Final = 10  # the rest is one link away, in the list of runs
SHOWN_VERSIONS: Final = 20
SHOWN_SWITCHES: Final = 20
MOST_PROBLEMS: Final = 10
_RAN: Final = (RunStatus.DONE, RunStatus.REFUSED, RunStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Way:
    """A button of the page. `is_main`: the one that stands out."""

    label: str
    url: str
    is_main: bool = False


@dataclass(frozen=True, slots=True)
class VersionLine:
    """`changes`: what it says differently from the one before; "" for the oldest that is shown."""

    version: RuleVersion
    words: RuleWords
    is_current: bool
    changes: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    run: RuleRun
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftTold:
    """`words` and `nodes` only of a draft that could be published; else its `mistakes`,
    which `edit_url` shows beside their fields.

    `changes`: which parts say something else than what is published.
    """

    words: RuleWords | None = None
    nodes: Sequence[Node] = ()
    changes: Sequence[str] = ()
    mistakes: Sequence[Mistake] = ()
    more: int = 0
    edit_url: str | None = None


def rule_page(rule: AutomationRule, reader: User, now: datetime) -> dict[str, Any]:
    """What the template needs. As many queries for many runs and versions as for few."""
    practice, sight = Practice(organization=rule.organization), sight_of(reader)
    words = words_of_rule(rule.definition, practice)
    lately, versions = _lately(rule, now), _versions(rule, practice)
    said = {one.version.version: one.version.definition for one in versions}
    return {
        "ways": list(_ways(rule, reader)),
        "counts_for": counts_for(rule.visits_from) if is_timeout(rule) else "",
        "words": words,
        "is_published": rule.version != UNPUBLISHED,
        "nodes": rule_nodes(rule.definition, practice, note=_asked_words(lately)),
        "ran_lately": _ran_words(lately),
        "draft": _draft(rule, words, practice, reader),
        "versions": versions,
        "switches": _switches(rule),
        "runs": [
            RunLine(run=run, words=_what_came(run, said.get(run.rule_version), practice, sight))
            for run in runs_of(rule.pk, SHOWN_RUNS)
        ],
    }


def _ways(rule: AutomationRule, reader: User) -> Iterator[Way]:
    """What whoever reads may do with the rule; an archived one can only be tried."""
    yield Way(_("Dry run"), _url("dryrun", rule) + "?days=30")
    if rule.archived_at is not None or not reader.has_perm(CHANGE):
        return
    label = _("Edit") if rule.draft is None else _("Go on with the draft")
    yield Way(label, _url("edit", rule), is_main=True)
    if rule.is_active:
        yield Way(_("Switch off…"), _url("off", rule))
    elif rule.version != UNPUBLISHED:
        yield Way(_("Switch on…"), _url("on", rule))
    yield Way(_("Copy…"), _url("copy", rule))
    yield Way(_("Archive…"), _url("archive", rule))


def _url(verb: str, rule: AutomationRule) -> str:
    return reverse(f"admin:automation_automationrule_{verb}", args=[rule.pk])


# --- what it did ----------------------------------------------------------------------------------


def _lately(rule: AutomationRule, now: datetime) -> Mapping[str, int]:
    """`asked` and `ran`, in the last days."""
    runs = RuleRun.objects.filter(rule=rule, started_at__gte=now - LATELY)
    return runs.aggregate(asked=Count("pk"), ran=Count("pk", filter=Q(status__in=_RAN)))


def _asked_words(lately: Mapping[str, int]) -> str:
    return ngettext(
        "It was asked once in the last 30 days.",
        "It was asked %(number)s times in the last 30 days.",
        lately["asked"],
    ) % {"number": lately["asked"]}


def _ran_words(lately: Mapping[str, int]) -> str:
    if not lately["ran"]:
        return _("it did not run in the last 30 days")
    return ngettext(
        "it ran once in the last 30 days",
        "it ran %(number)s times in the last 30 days",
        lately["ran"],
    ) % {"number": lately["ran"]}


def _what_came(
    run: RuleRun, said: Mapping[str, Any] | None, practice: Practice, sight: Sight
) -> str:
    """What was done, or why not. `said`: the version that ran, None if it is too old to be here."""
    if run.status in {RunStatus.REFUSED, RunStatus.FAILED}:
        codes = (one.get("error_code") for one in run.actions if one.get("status") == "refused")
        return error_words(run.error or next(codes, "") or "")
    if said is None or run.status == RunStatus.LOOP:
        return ""
    if run.status == RunStatus.NOT_MATCHED:
        return _unmet(run, said, practice, sight)
    done = [
        action_words(kind, params, practice)
        for (kind, params), told in zip(
            readable_actions(said["actions"]), run.actions, strict=False
        )
        if told.get("status") == "done"
    ]
    return capfirst(joined(done)) if done else ""


def _unmet(run: RuleRun, said: Mapping[str, Any], practice: Practice, sight: Sight) -> str:
    """The first condition that did not hold, for who may know whether it did."""
    unmet = next((one for one in run.conditions if one["result"] is not True), None)
    if unmet is None or not sight.of(unmet["field"]):
        return ""
    fields = practice_fields(said["trigger_event"], said.get("journey_key") or "", practice)
    return _("Not met: %(condition)s") % {"condition": readable_condition(unmet, fields)}


# --- versions, switches, draft --------------------------------------------------------------------


def _versions(rule: AutomationRule, practice: Practice) -> list[VersionLine]:
    """The newest first; one more is read than shown, for what the oldest of them changed."""
    found = RuleVersion.objects.filter(rule=rule).select_related("published_by")
    rows = list(found.order_by("-version")[: SHOWN_VERSIONS + 1])
    words = [words_of_rule(row.definition, practice) for row in rows]
    before = [*words[1:], None][: len(words)]
    return [
        VersionLine(row, said, row.version == rule.version, _changed_words(old, said))
        for row, said, old in zip(rows, words, before, strict=True)
    ][:SHOWN_VERSIONS]


def _changed_words(old: RuleWords | None, new: RuleWords) -> str:
    if old is None:
        return ""
    parts = list(_changes(old, new))
    if not parts:
        return _("the name or the priority is another")
    return _("changes: %(parts)s") % {"parts": ", ".join(parts)}


def _switches(rule: AutomationRule) -> list[RuleSwitch]:
    rows = RuleSwitch.objects.filter(rule=rule).select_related("switched_by")
    return list(rows.order_by("-switched_at", "-id")[:SHOWN_SWITCHES])


def _draft(
    rule: AutomationRule, published: RuleWords, practice: Practice, reader: User
) -> DraftTold | None:
    if rule.draft is None:
        return None
    problems = problems_of(rule.draft, practice)
    if problems:
        told = named_by(as_mapping(rule.draft), practice)(problems)
        more = max(0, len(told) - MOST_PROBLEMS)
        url = edit_url_of(rule, reader)
        return DraftTold(mistakes=told[:MOST_PROBLEMS], more=more, edit_url=url)
    words = words_of_rule(rule.draft, practice)
    return DraftTold(
        words=words,
        nodes=rule_nodes(rule.draft, practice, name="draft"),
        changes=list(_changes(published, words)),
    )


def _changes(old: RuleWords, new: RuleWords) -> Iterator[str]:
    if old.when != new.when:
        yield _("When")
    if old.if_ != new.if_:
        yield _("If")
    if old.then != new.then:
        yield _("Then")
