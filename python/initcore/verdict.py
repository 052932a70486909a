"""Verdicts in words: what became of each scheme, why, and which differences are no more than noise.

Every sentence follows from numbers that are in the results too. To add one: a function that takes a scheme
and the context and returns a sentence or None, and its name in `_ABOUT_ONE`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from initcore.runs import Scheme, Spread, difference

_MUCH = 30.0  # a variance that changes by more than this from end to end is worth a word
_FAR_TOO_MUCH = 1e4  # and by more than this, the word is "vanishes" or "explodes"
_DEAD = 0.1  # share of dead units worth a word
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Context:
    """What the verdicts need to know beside the schemes."""

    score_name: str  # "accuracy" or "R2"
    chance: float  # the score of an answer that ignores the inputs
    test_rows: int
    target: float
    epochs: int

    def words(self, score: Spread) -> str:
        """Return a score and its spread as text."""
        if not math.isfinite(score.mean):
            return "no finite " + self.score_name
        scale, unit, digits = (100, " %", 1) if self.score_name == "accuracy" else (1, "", 3)
        spread = f" ± {score.std * scale:.{digits}f}" if math.isfinite(score.std) else ""
        name = "" if self.score_name == "accuracy" else f"{self.score_name} "
        return f"{name}{score.mean * scale:.{digits}f}{spread}{unit}"

    def points(self, shift: float) -> str:
        """Return a difference of scores as text."""
        return f"{shift * 100:.1f} points" if self.score_name == "accuracy" else f"{shift:.3f}"

    def at_chance(self, scheme: Scheme) -> bool:
        """Whether the score cannot be told from that of an answer that ignores the inputs."""
        if self.score_name != "accuracy":
            return not scheme.score.mean > self.chance + 0.02
        sampling = math.sqrt(self.chance * (1 - self.chance) / self.test_rows)
        return not scheme.score.mean > self.chance + 3 * sampling


def best(schemes: Sequence[Scheme]) -> Scheme | None:
    """Return the scheme with the highest mean score; the lower training loss decides between equals."""
    usable = [scheme for scheme in schemes if math.isfinite(scheme.score.mean)]
    return max(usable, key=lambda scheme: (scheme.score.mean, -scheme.loss.mean), default=None)


def about_one(scheme: Scheme, schemes: Sequence[Scheme], context: Context) -> str:
    """Return what became of one scheme, and why."""
    sentences = [say(scheme, schemes, context) for say in _ABOUT_ONE]
    return " ".join(sentence for sentence in sentences if sentence)


def about_all(schemes: Sequence[Scheme], context: Context) -> list[str]:
    """Return what the comparison shows, most important first."""
    first = best(schemes)
    sentences: list[str | None] = []
    stuck = [scheme for scheme in schemes if context.at_chance(scheme)]
    if first is None or first in stuck:
        sentences.append("No scheme learnt anything.")
    else:
        equal = [one for one in schemes if one is not first and _within_noise(one, first)]
        sentences.append(f"{first.label} ends highest: {context.words(first.score)}.")
        if equal:
            seeds = len(first.runs)
            sentences.append(
                f"{_names(equal)} cannot be told from it with {seeds} seeds: the difference is within noise."
            )
        behind = {one.label: _behind(one, first, stuck, schemes, context) for one in schemes}
        sentences += behind.values()
        lower = [one for one in schemes if one not in (first, *stuck, *equal) and not behind[one.label]]
        if lower and len(first.runs) > 1:
            end = "ends" if len(lower) == 1 else "end"
            sentences.append(f"{_names(lower)} {end} lower, by more than noise explains.")
        quick = _quickest(schemes, context)
        sentences.append(quick)
    equal_units = [scheme for scheme in stuck if scheme.symmetric]
    if equal_units:
        sentences.append(
            f"{_names(equal_units)} never {'leaves' if len(equal_units) == 1 else 'leave'} chance "
            f"({_chance(context)}): all units of a layer are equal, and equal gradients keep them equal."
        )
    others = [scheme for scheme in stuck if not scheme.symmetric]
    if others and first not in others:
        sentences.append(f"{_names(others)} did not leave chance in {_count(context.epochs)}.")
    if len(schemes[0].runs) == 1:
        sentences.append("One seed shows no spread: differences may be luck. Use five or more.")
    if len(schemes[0].runs) == 2:
        sentences.append("Two seeds show little of the spread, so much counts as noise. Use five or more.")
    return [sentence for sentence in sentences if sentence]


def _behind(
    scheme: Scheme, first: Scheme, stuck: Sequence[Scheme], schemes: Sequence[Scheme], context: Context
) -> str | None:
    """Say why a scheme that learnt something is behind by more than noise, if its start shows why."""
    if scheme is first or scheme in stuck or not math.isfinite(scheme.score.mean):
        return None
    shift, noise = _shift(first, scheme)
    causes = (say(scheme, schemes, context) for say in (_diverged, _symmetric, _signal, _gradient))
    why = next(filter(None, causes), None)
    if shift <= noise or not why:
        return None
    return f"{scheme.label} ends {context.points(shift)} lower: {why[0].lower()}{why[1:]}"


def _diverged(scheme: Scheme, schemes: Sequence[Scheme], context: Context) -> str | None:
    broken = [run for run in scheme.runs if not run.finite]
    if not broken:
        return None
    first = min(next(i for i, loss in enumerate(run.loss, 1) if not math.isfinite(loss)) for run in broken)
    return (
        f"Diverged: the loss is not finite from epoch {first} on in {len(broken)} of {len(scheme.runs)} runs."
    )


def _symmetric(scheme: Scheme, schemes: Sequence[Scheme], context: Context) -> str | None:
    if not scheme.symmetric:
        return None
    hidden = scheme.by_layer("gradient")[:-1]
    if not any(hidden):
        return (
            "Nothing reaches the hidden layers: their units are all equal and answer zero, so no kernel gets "
            "a gradient and only the last bias learns how frequent the classes are."
            if context.score_name == "accuracy"
            else "Nothing reaches the hidden layers: their units are all equal and answer zero, so no kernel "
            "gets a gradient and only the last bias learns, the mean of the targets."
        )
    widths = ", ".join(map(str, scheme.runs[0].units))
    return (
        f"Symmetry is never broken: the units of each hidden layer ({widths}) stay equal bit for bit, so a "
        "layer is worth one unit, whatever its width."
    )


def _signal(scheme: Scheme, schemes: Sequence[Scheme], context: Context) -> str | None:
    signal = scheme.by_layer("signal")
    return _change("The signal", "from the input to the last layer", signal[0], signal[-1])


def _gradient(scheme: Scheme, schemes: Sequence[Scheme], context: Context) -> str | None:
    hidden = scheme.by_layer("gradient")[:-1]
    if len(hidden) < 2:
        return None
    return _change("The gradient", "from the last hidden layer back to the first", hidden[-1], hidden[0])


def _change(what: str, where: str, start: float, end: float) -> str | None:
    if not start or not end or not math.isfinite(start) or not math.isfinite(end):
        return None
    factor = end / start
    if 1 / _MUCH <= factor <= _MUCH:
        return None
    far = not 1 / _FAR_TOO_MUCH <= factor <= _FAR_TOO_MUCH
    if factor < 1:
        verb = "vanishes" if far else "shrinks"
        return f"{what} {verb}: its variance falls {_power(1 / factor)}-fold {where}."
    verb = "explodes" if far else "grows"
    return f"{what} {verb}: its variance rises {_power(factor)}-fold {where}."


def _dead(scheme: Scheme, schemes: Sequence[Scheme], context: Context) -> str | None:
    if not scheme.dead > _DEAD or scheme.symmetric:
        return None
    return f"{scheme.dead:.0%} of the hidden units are dead at the end: they answer zero to every example."


def _rank(scheme: Scheme, schemes: Sequence[Scheme], context: Context) -> str | None:
    first = best(schemes)
    if context.at_chance(scheme):
        return (
            f"Ends at chance: {context.words(scheme.score)}, where {_chance(context)} needs no inputs at all."
        )
    if first is None or scheme is first:
        return f"The highest score: {context.words(scheme.score)}."
    shift, noise = _shift(first, scheme)
    text = f"{context.words(scheme.score)}: {context.points(shift)} below {first.label}"
    if math.isnan(noise):
        return f"{text}."
    if shift <= noise:
        return f"{text}, which is within noise (± {context.points(noise)})."
    return f"{text}, more than noise explains (± {context.points(noise)})."


def _speed(scheme: Scheme, schemes: Sequence[Scheme], context: Context) -> str | None:
    if context.at_chance(scheme):
        return None
    epochs, reached = scheme.epochs_to(context.target)
    if epochs is None:
        return f"Never reaches {_score(context.target, context)}."
    seeds = "" if reached == len(scheme.runs) else f", in {reached} of {len(scheme.runs)} runs"
    return f"Reaches {_score(context.target, context)} in {_count(epochs)}{seeds}."


_ABOUT_ONE = (_diverged, _rank, _symmetric, _signal, _gradient, _dead, _speed)


def _quickest(schemes: Sequence[Scheme], context: Context) -> str | None:
    times = [(one, *one.epochs_to(context.target)) for one in schemes]
    arrived = [(one, epochs) for one, epochs, reached in times if epochs and reached == len(one.runs)]
    least, most = (pick((epochs for _, epochs in arrived), default=0) for pick in (min, max))
    if least == most:
        return None
    first = [one for one, epochs in arrived if epochs == least]
    last = [one for one, epochs in arrived if epochs == most]
    target = f"{_score(context.target, context)}, in {_count(least)}"
    fast = f"{_names(first)} {'is' if len(first) == 1 else 'are'} quickest to {target}"
    return f"{fast}; {_names(last)} {'needs' if len(last) == 1 else 'need'} {most:g}."


def _within_noise(scheme: Scheme, first: Scheme) -> bool:
    shift, noise = _shift(first, scheme)
    return bool(shift <= noise)  # NaN, for one seed, says no


def _shift(first: Scheme, scheme: Scheme) -> tuple[float, float]:
    return difference([run.score[-1] for run in first.runs], [run.score[-1] for run in scheme.runs])


def _names(schemes: Sequence[Scheme]) -> str:
    labels = [scheme.label for scheme in schemes]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _score(score: float, context: Context) -> str:
    return (
        f"{score:.1%}".replace("%", " %")
        if context.score_name == "accuracy"
        else f"{context.score_name} {score:.3f}"
    )


def _chance(context: Context) -> str:
    return _score(context.chance, context)


def _count(epochs: float) -> str:
    return f"{epochs:g} epoch" + ("" if epochs == 1 else "s")


def _power(factor: float) -> str:
    if factor < 1e4:
        return f"{factor:.0f}"
    digit, exponent = f"{factor:.0e}".split("e+")
    return ("" if digit == "1" else f"{digit}·") + "10" + str(int(exponent)).translate(_SUPERSCRIPT)
