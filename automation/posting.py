"""Hand one mail to the mail server, within an absolute deadline, and say what is known then.

The conversation runs on a thread of its own: a server that says a byte every few seconds, a name
that nobody resolves or a handshake without end can keep the thread, never the worker. Which of the
two was first, handing over or giving up, is decided in `automation.smtp.Progress`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from automation.placeholders import plain
from automation.smtp import EmailBackend, MailNotSetUpError, Progress, Reached, Step

LONGEST: Final = 13.0  # seconds for one mail, whatever EMAIL_TIMEOUT says; a worker has 15
LEEWAY: Final = 1.2  # times EMAIL_TIMEOUT, which bounds one wait: the whole may take this long
_GOOD, _LATER, _NEVER = 2, 4, 5  # first digits of an answer
_CLOSING: Final = 421  # the server is going away: not about this mail


class Fate(Enum):
    SENT = auto()
    LATER = auto()  # certainly not sent; may be tried again
    REFUSED = auto()  # certainly not sent; the server will never take it
    UNKNOWN = auto()  # handed over, and no answer


@dataclass(frozen=True, slots=True)
class Answer:
    """`server_is_ill`: the next mail would fare the same."""

    fate: Fate
    why: str = ""
    server_is_ill: bool = False


def post(mail: EmailMessage, *, started: float) -> Answer:
    """`started`: `time.monotonic()` when the message was taken. Raises nothing."""
    progress = Progress(started + time_for_one())
    outcome: list[BaseException | None] = []
    talk = threading.Thread(target=_talk, args=(mail, progress, outcome), daemon=True)
    talk.start()
    talk.join(max(0.0, progress.deadline - time.monotonic()))
    if talk.is_alive():
        progress.give_up()
    return _answer(progress.reached, list(outcome))


def time_for_one() -> float:
    return min(LONGEST, LEEWAY * (settings.EMAIL_TIMEOUT or LONGEST))


def _talk(mail: EmailMessage, progress: Progress, outcome: list[BaseException | None]) -> None:
    connection: Any = None
    try:
        connection = get_connection()
        connection.progress = progress
        if not isinstance(connection, EmailBackend):
            progress.hand_over(Step.BACKEND)
        connection.send_messages([mail])
        outcome.append(None)
    except Exception as error:  # noqa: BLE001  the edge: whatever it was is judged below
        outcome.append(error)
        with contextlib.suppress(Exception):
            connection.close()
    finally:
        progress.let_go()


def _answer(reached: Reached, outcome: list[BaseException | None]) -> Answer:
    """The server's own words first; then how far it came; then what went wrong on the way."""
    if reached.step is Step.ANSWERED:
        return _by_code(reached)
    if outcome == [None]:
        return Answer(Fate.SENT)  # a backend that is not SMTP, and did not complain
    if reached.step is Step.HANDED_OVER or (reached.step is Step.BACKEND and not outcome):
        return Answer(Fate.UNKNOWN, "no_answer_to_data", server_is_ill=True)
    if reached.step in (Step.RECIPIENT, Step.CONTENTS) and reached.code:
        return _by_code(reached)
    return Answer(Fate.LATER, _reason(reached, outcome), server_is_ill=True)


def _by_code(reached: Reached) -> Answer:
    kind = reached.code // 100
    if kind == _GOOD and reached.step is Step.ANSWERED:
        return Answer(Fate.SENT)
    why = plain(f"{reached.code} {reached.words}")
    if kind == _NEVER:
        return Answer(Fate.REFUSED, why)
    if reached.step is Step.ANSWERED and kind != _LATER:
        return Answer(Fate.UNKNOWN, why)
    is_ill = kind != _LATER or reached.code == _CLOSING
    return Answer(Fate.LATER, why, server_is_ill=is_ill)


def _reason(reached: Reached, outcome: list[BaseException | None]) -> str:
    """What a server said when it said something; else the kind of trouble and where."""
    if reached.code:
        return plain(f"{reached.code} {reached.words}")
    error = outcome[0] if outcome else None
    if isinstance(error, MailNotSetUpError):
        return "mail_not_set_up"
    told = getattr(error, "smtp_code", None)
    name = type(error).__name__ if error else "deadline"
    return plain(f"{name} {told or ''} {reached.step.name.lower()}")
