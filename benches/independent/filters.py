"""Filters over events as SQL: conditions on the columns of `events` and the rows of `props`."""
from decimal import Decimal

import model as models
from events import Number, number


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def shown(value):
    """A property as it is stored for SQL: (kind, text, number)."""
    if isinstance(value, bool):
        return "bool", "true" if value else "false", None
    d = number(value)
    if d is not None:
        return "number", str(d.normalize()), d
    if isinstance(value, str):
        return "text", value, None
    return "other", "", None


def condition(name, spec):
    """SQL for one filter field over `e`."""
    if name in ("feature", "metric") or name.startswith("properties."):
        key = quoted(name.removeprefix("properties."))
        some = lambda test: f"exists (select 1 from props p where p.ord = e.ord and p.name = {key} and {test})"

        def equal(v):
            kind, text, num = shown(v if not isinstance(v, Decimal) else Number(v))
            return f"(p.kind = 'number' and p.num = {num})" if num is not None else f"(p.kind = '{kind}' and p.text = {quoted(text)})"

        compare = lambda op, v: some(f"p.kind = 'text' and encode(p.text) {op} encode({quoted(v)})" if isinstance(v, str) else f"p.kind = 'number' and p.num {op} {v}")
        exists = some("true")
    else:
        column = f'e."{name}"'
        some = lambda test: test
        numeric = name in ("quantity", "amount")

        def equal(v):
            if numeric != isinstance(v, (int, Decimal)) or isinstance(v, bool):
                return "false"
            return f"coalesce({column} = {v if numeric else quoted(v)}, false)"

        compare = lambda op, v: (f"coalesce(encode({column}) {op} encode({quoted(v)}), false)" if isinstance(v, str) and not numeric
                                 else f"coalesce({column} {op} {v}, false)" if numeric and not isinstance(v, str) else "false")
        exists = f"{column} is not null"
    parts = []
    for op, operand in models.conditions(spec):
        if op in ("in", "not"):
            any_of = some("(" + (" or ".join(equal(v) for v in models.one_of(operand)) or "false") + ")")
            parts.append(any_of if op == "in" else f"not {any_of}")
        elif op == "exists":
            parts.append(exists if operand else f"not ({exists})")
        else:
            sign = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}[op]
            parts.append(compare(sign, operand) if not isinstance(operand, bool) else "false")
    return " and ".join(f"({p})" for p in parts) or "true"
