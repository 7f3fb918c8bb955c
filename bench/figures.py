"""A figure: what was measured in each round, the medians, their ratio, and whether it is enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    at_least: float | None = None
    at_most: float | None = None

    def met_by(self, value: float) -> bool:
        low, high = self.at_least, self.at_most
        return (low is None or value >= low) and (high is None or value <= high)

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """`value` is what the target is about: a ratio, or the measurement itself."""

    name: str
    unit: str
    value: float
    value_is: str
    rounds: dict[str, list[float]]
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.target.met_by(self.value)

    @property
    def medians(self) -> dict[str, float]:
        return {name: median(values) for name, values in self.rounds.items()}


def compared(
    name: str,
    *,
    unit: str,
    service: Sequence[float],
    other: Sequence[float],
    against: str,
    target: Target | None,
) -> Figure:
    """The median of the rounds' ratios: what slowed one round down slowed down both."""
    return Figure(
        name=name,
        unit=unit,
        value=median(ours / theirs for ours, theirs in zip(service, other, strict=True)),
        value_is=f"service / {against}",
        rounds={"service": list(service), against: list(other)},
        target=target,
    )


def single(name: str, *, unit: str, values: Sequence[float], target: Target | None) -> Figure:
    return Figure(
        name=name,
        unit=unit,
        value=median(values),
        value_is="median",
        rounds={"measured": list(values)},
        target=target,
    )


WHOLE: Final = 100  # from here on without decimals
HEADINGS: Final = ("what", "unit", "medians", "all rounds", "value", "target", "met")


def table(figures: Iterable[Figure]) -> str:
    """Markdown: reads well on a terminal and goes into docs/measurements.md as it is."""
    rows = [HEADINGS, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    rounds = "; ".join(
        f"{name} {', '.join(map(_number, values))}" for name, values in figure.rounds.items()
    )
    return (
        figure.name,
        figure.unit,
        ", ".join(f"{name} {_number(value)}" for name, value in figure.medians.items()),
        rounds,
        f"{figure.value_is} {_number(figure.value)}",
        str(figure.target or "–"),
        {True: "yes", False: "NO", None: "–"}[figure.met],
    )


def _number(value: float) -> str:
    """Three significant digits; more would claim more than a shared machine can tell."""
    return f"{value:.3g}" if value < WHOLE else f"{value:,.0f}"


def as_data(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        figure.value_is: figure.value,
        "rounds": figure.rounds,
        "target": str(figure.target) if figure.target else None,
        "met": figure.met,
    }
