"""What is wrong with a rule: where (a JSON pointer), a code for programs, words for people."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Problem:
    pointer: str
    code: str
    message: str | Promise

    def below(self, pointer: str) -> Problem:
        return replace(self, pointer=pointer + self.pointer)
