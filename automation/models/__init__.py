"""Rules, what they did, and the queues: of events, of messages, of what a person must do."""

from automation.models.dispatch import DispatchDecision, EventDispatch
from automation.models.heartbeat import Heartbeat
from automation.models.message import Message
from automation.models.pause import ReminderPause
from automation.models.rule import AutomationRule, RuleSwitch, RuleVersion
from automation.models.run import RuleRun
from automation.models.staff_task import StaffTask
from automation.models.stage_timer import StageTimer

__all__ = [
    "AutomationRule",
    "DispatchDecision",
    "EventDispatch",
    "Heartbeat",
    "Message",
    "ReminderPause",
    "RuleRun",
    "RuleSwitch",
    "RuleVersion",
    "StaffTask",
    "StageTimer",
]
