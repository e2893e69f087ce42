"""Recomputes explanations read from standard input, parted by an empty line; prints each total in fen, or fails at the first step that does not hold."""
import sys
from datetime import date
from fractions import Fraction as F
from math import ceil, floor

MODES = {"half_up": lambda x: floor(abs(x) + F(1, 2)) * (1 if x > 0 else -1), "floor": floor, "ceiling": ceil}


def deal(step, whole, shares):
    parts = [step * floor(share / step) for share in shares]
    order = sorted(range(len(parts)), key=lambda i: parts[i] - shares[i])
    for i in order[: int((whole - sum(parts)) / step)]:
        parts[i] += step
    return parts


def mul(*factors):
    product = F(1)
    for factor in factors:
        product *= factor
    return product


RULES = {
    "add": lambda *a: sum(a, F(0)),
    "sub": lambda a, *rest: a - sum(rest),
    "mul": mul,
    "min": min,
    "overlap": lambda low, high, start, end=None: max(F(0), min(high, high if end is None else end) - max(low, start)),
    "tier": lambda x, *bounds: F(1 + sum(bound < x for bound in bounds)),
    "pick": lambda k, *a: a[int(k) - 1],
    "days": lambda a, b: F((b - a).days),
    "parts": lambda step, whole, *w: deal(step, whole, [whole * weight / sum(w) for weight in w]),
    "round": lambda mode, place, x, n=F(1), d=F(1): MODES[mode](x * n / d / place) * place,
    "spread": lambda place, whole, *a: deal(place, whole, a),
}


def total(text):
    known = {}

    def value(word):
        if word in known or word in MODES:
            return known.get(word, word)
        return date.fromisoformat(word) if word.count("-") == 2 else F(word)

    for line in text.splitlines():
        name, rule, rest = (line + " ").split(" ", 2)
        if rule == "is":
            continue
        inputs, _, values = rest.partition("=")
        told = [F(word) for word in values.split()]
        got = told if rule == "given" else RULES[rule](*map(value, inputs.split()))
        got = got if isinstance(got, list) else [got]
        assert got == told, f"{line}: {got}"
        known.update({f"{name}.{place}": number for place, number in enumerate(told, 1)})
        if len(told) == 1:
            known[name] = told[0]
    return known["total"]


for text in sys.stdin.read().split("\n\n"):
    if text.strip():
        print(total(text) * 100)
