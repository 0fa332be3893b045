"""Model files: the metrics, the keys they depend on, and how they are scored."""
import tomllib
from decimal import Decimal

DEFAULTS = {
    "coverage_min": Decimal("0.4"),
    "band_margin": 3,
    "bands": [{"name": "red", "below": 40}, {"name": "yellow", "below": 70}, {"name": "green"}],
    "payment_terms_days": 30,
    "usage_rhythm": "daily",
    "milestones": [
        {"name": "kickoff", "due_after_days": 7}, {"name": "configured", "due_after_days": 21},
        {"name": "trained", "due_after_days": 30}, {"name": "live", "due_after_days": 45},
        {"name": "first_value", "due_after_days": 60},
    ],
}
COMPOSED = ("ratio", "per_seat", "change", "against_own", "slope")
COMPARISONS = ("change", "against_own", "slope")
TICKET_HOURS = ("first_reply_hours", "resolution_hours")


def read(path):
    with open(path, "rb") as f:
        return ready(tomllib.load(f, parse_float=Decimal))


def ready(m):
    """A parsed model with its defaults."""
    for metric in m["metrics"].values():
        for name in ("filter", "a_filter", "b_filter"):
            if name in metric:
                metric[name] = flat(metric[name])
    for measure in m.get("measures", {}).values():
        if "input" in measure:
            measure["input"] = flat(measure["input"])
    return {**DEFAULTS, **m}


def groups(model, profile):
    """[(name, weight, {measure: weight})] of a profile; its measures are a named set of weights or stand there."""
    return [(name, float(g["weight"]), {k: float(w) for k, w in (model["weights"][g["measures"]] if isinstance(g["measures"], str) else g["measures"]).items()})
            for name, g in profile["groups"].items()]


def choices(measure):
    """[(metric, curve)] in the order in which they are tried."""
    return [(x["metric"], x["curve"]) for x in [measure, *measure.get("otherwise", [])]]


def flat(filters):
    """A bare `properties.x = …` is to TOML a table `properties`; it means the same as the name in quotes."""
    bare = {f"properties.{key}": spec for key, spec in filters.get("properties", {}).items()}
    return {name: spec for name, spec in filters.items() if name != "properties"} | bare


def conditions(spec):
    """A filter value as a list of (operator, operand)."""
    if isinstance(spec, dict):
        return list(spec.items())
    return [("in", spec if isinstance(spec, list) else [spec])]


def one_of(operand):
    return operand if isinstance(operand, list) else [operand]


def types_pass(filters, kind, family):
    """Whether an event of this type could pass, judged by the conditions on type and family alone."""
    for name, spec in (filters or {}).items():
        if name not in ("type", "family"):
            continue
        value = kind if name == "type" else family
        for op, operand in conditions(spec):
            ok = {
                "in": lambda: value is not None and value in operand,
                "not": lambda: value is None or value not in one_of(operand),
                "exists": lambda: (value is not None) == operand,
            }.get(op, lambda: False)()
            if not ok:
                return False
    return True


def sides(m):
    """[(suffix, filter)] of an uncomposed metric: `share` counts two."""
    if m["agg"] == "share":
        return [("_a", m.get("a_filter")), ("_b", m.get("b_filter"))]
    return [("", m.get("filter"))]
