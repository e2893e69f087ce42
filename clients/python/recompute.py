"""Computes a bill anew from its explanation alone (BillService/ExplainBill): every step, with decimals, and the amount at the end."""

from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

MODES = {"half_up": ROUND_HALF_UP, "floor": ROUND_FLOOR, "ceiling": ROUND_CEILING}


def share(place, whole, exact):
    """Each part rounded down to the place; what is missing to the whole goes to the largest remainders, ties to the earlier."""
    floors = [part // place * place for part in exact]
    missing = int((whole - sum(floors)) / place)
    order = sorted(range(len(exact)), key=lambda at: floors[at] - exact[at])
    return [floor + place * (at in order[:missing]) for at, floor in enumerate(floors)]


def rounded(mode, place, value, times=1, parts=1):
    quotient = Fraction(value) * Fraction(times) / Fraction(parts) / Fraction(place)
    steps = Decimal(quotient.numerator) / Decimal(quotient.denominator)
    return [steps.to_integral_value(MODES[mode]) * place]


RULES = {
    "add": lambda *terms: [sum(terms)],
    "sub": lambda first, *others: [first - sum(others)],
    "mul": lambda a, b: [a * b],
    "min": lambda *values: [min(values)],
    "overlap": lambda low, high, bottom, top=None: [max(Decimal(0), (high if top is None else min(high, top)) - max(low, bottom))],
    "tier": lambda volume, *bounds: [Decimal(1 + sum(bound < volume for bound in bounds))],
    "pick": lambda number, *values: [values[int(number) - 1]],
    "days": lambda first, last: [Decimal((date.fromisoformat(last) - date.fromisoformat(first)).days)],
    "parts": lambda place, whole, *weights: share(Fraction(place), Fraction(whole), [Fraction(whole) * Fraction(w) / Fraction(sum(weights)) for w in weights]),
    "round": rounded,
    "spread": lambda place, whole, *amounts: share(place, whole, list(amounts)),
}


def recompute(explanation):
    """The amount; fails where a step does not give what the explanation says."""
    known = {}

    def value(text):
        if text in known:
            return known[text]
        return Decimal(text) if text.lstrip("-").replace(".", "", 1).isdigit() else text

    with localcontext() as context:
        context.prec = 60
        for step in explanation.steps:
            if not step.rule:
                continue
            values = [Decimal(text) for text in step.values]
            if step.rule != "given":
                computed = [Decimal(v.numerator) / v.denominator if isinstance(v, Fraction) else v for v in RULES[step.rule](*map(value, step.inputs))]
                assert computed == values, (step.name, computed, values)
            known.update({step.name: values[0]} if len(values) == 1 else {f"{step.name}.{at}": v for at, v in enumerate(values, 1)})
    return known["total"]
