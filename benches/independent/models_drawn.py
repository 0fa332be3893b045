"""A random model file that uses every aggregation, in the grammar of the default model."""

from filters_drawn import FAMILY_FILTERS, OTHER_FILTERS
from scoring_drawn import draw_scoring


def draw_model(r, features):
    lines, plain, windowed = [], [], []
    any_filter = lambda: r.choice(FAMILY_FILTERS if r.random() < 0.5 else OTHER_FILTERS)
    window = lambda: r.choice([1, 7, 7, 14, 28, 28, 30, 90])

    def add(prefix, body, is_plain=True, n=None, text=False):
        name = f"{prefix}_{len(lines)}"
        lines.append(f"{name} = {{ {body} }}")
        if is_plain and not text:
            plain.append(name)
            if n is not None:
                windowed.append((name, n, "skip_closed" in body))
        return name

    def with_filter(chance=0.85):
        return f", filter = {any_filter()}" if r.random() < chance else ""

    def skip():
        return ", skip_closed = true" if r.random() < 0.5 else ""

    core = lambda: "[" + ", ".join(f'"{f}"' for f in r.sample(features, r.choice([0, 1, 3]))) + "]"
    numeric = lambda: r.choice(['field = "quantity"', 'field = "properties.duration_s"', 'field = "properties.score"', 'field = "amount", currency = "EUR"',
                                'field = "amount", currency = "JPY"', 'field = "properties.points"'])
    fitting = lambda: numeric() + with_filter(0.5) if r.random() < 0.3 else r.choice([
        'field = "quantity", filter = { family = "usage" }', 'field = "properties.duration_s", filter = { family = "usage" }', 'field = "properties.weight"',
        'field = "properties.score", filter = { family = "survey" }', 'field = "amount", currency = "EUR", filter = { family = "billing" }'])
    for _ in range(2):
        n = window()
        add("count", f'agg = "count", window = {n}{with_filter()}{skip()}', n=n)
        n = window()
        add("people", f'agg = "active_users", window = {n}{with_filter()}{skip()}', n=n)
        n = window()
        add("days", f'agg = "active_days", window = {n}{with_filter()}{skip()}', n=n)
        n = window()
        add("features", f'agg = "features_used", window = {n}{with_filter()}{skip()}' + (f", core = {core()}" if r.random() < 0.4 else ""), n=n)
        n = window()
        add("sum", f'agg = "sum", {numeric()}, window = {n}{with_filter()}{skip()}', n=n)
        for agg in ("mean", "median"):
            n = window()
            add(agg, f'agg = "{agg}", window = {n}, {fitting()}', n=n)
        n = window()
        add("quantile", f'agg = "quantile", q = {r.choice([0.1, 0.25, 0.9, 0.95])}, window = {n}, {fitting()}', n=n)
    n = window()
    add("core", f'agg = "features_share", window = {n}, filter = {{ family = "usage" }}, core = {core()}{skip()}', n=n)
    add("count_ever", f'agg = "count"{with_filter()}')
    add("sum_ever", f'agg = "sum", {numeric()}{with_filter()}')
    for agg in ("first_time", "last_time", "days_since_last"):
        add(agg, f'agg = "{agg}"{with_filter()}' + (f", window = {window()}" if r.random() < 0.4 else ""), is_plain=agg == "days_since_last")
    add("last", f'agg = "last", {numeric()}{with_filter(0.4)}' + (f", window = {window()}" if r.random() < 0.4 else ""))
    add("last_text", f'agg = "last", field = "properties.{r.choice(["colour", "feature", "stage", "rating", "flag"])}"', text=True)
    for half in (r.choice([1, 4.5, 7]), r.choice([14, 45])):
        w = r.choice(["", ", window = 30", ", window = 180"])
        add("decayed", f'agg = "decayed_sum", half_life_days = {half}{w}{with_filter()}' + (f", {numeric()}" if r.random() < 0.5 else ""))
        w = r.choice(["", ", window = 30", ", window = 180"])
        add("answers", f'agg = "decayed_mean", field = "properties.score", half_life_days = {half}{w}, filter = {{ type = "{r.choice(["nps_answered", "csat_answered"])}" }}')
    add("answers_all", 'agg = "decayed_mean", field = "properties.score", half_life_days = 30, filter = { family = "survey" }')
    for _ in range(2):
        n = window()
        a, b = r.choice([("ticket_reopened", "ticket_resolved"), ("goal_met", "goal_set"), ("ticket_opened", "usage"), ("payment_failed", "invoice_issued")])
        add("share", f'agg = "share", window = {n}, a_filter = {{ type = "{a}" }}, b_filter = {{ type = "{b}" }}' + r.choice(["", ", min = 1", ", min = 3"]), n=n)
    for agg in ("happiness", "first_reply_hours", "resolution_hours"):
        n = r.choice([28, 90, 365])
        extra = ', filter = { "properties.priority" = "high" }' if agg != "happiness" and r.random() < 0.4 else ""
        add(agg, f'agg = "{agg}", window = {n}{extra}', n=n)
    standing = {}
    for kind in ("oldest_past_due_days", "open_tickets", "open_escalations", "days_to_renewal", "days_to_notice", "milestones_share", "expected_days",
                 "credits_burn", "seats", "age_days"):
        standing[kind] = add(kind, f'agg = "standing", kind = "{kind}"', is_plain=False)
    for currency in ("EUR", "JPY", "KWD"):
        standing["amount_past_due"] = add("past_due", f'agg = "standing", kind = "amount_past_due", currency = "{currency}"', is_plain=False)

    seatable = [p for p in plain if not p.startswith(("last", "first_time", "days_since"))]
    per_seat = [add("per_seat", f'agg = "per_seat", a = "{r.choice(seatable)}"', is_plain=False) for _ in range(3)]
    ratios = []
    for _ in range(4):
        a = r.choice(seatable)
        b = r.choice(seatable + list(standing.values()) * 2)
        low = f", min_b = {r.choice([1, 3, 0.5])}" if r.random() < 0.4 else ""
        ratios.append(add("ratio", f'agg = "ratio", a = "{a}", b = "{b}"{low}', is_plain=False))
    by_window = {}
    for name, n, skips in windowed:  # under `change` the parts of a ratio have one window and treat closed days alike
        by_window.setdefault((n, skips), []).append(name)
    common = []
    for names in by_window.values():
        if len(names) > 1:
            a, b = r.sample(names, 2)
            common.append(add("ratio_w", f'agg = "ratio", a = "{a}", b = "{b}"', is_plain=False))
    seat_windowed = [add("per_seat_w", f'agg = "per_seat", a = "{r.choice(windowed)[0]}"', is_plain=False) for _ in range(2)]
    for a in r.sample(windowed, 5):
        add("change", f'agg = "change", a = "{a[0]}"', is_plain=False)
    for a in r.sample(common, min(2, len(common))) + seat_windowed:
        add("change", f'agg = "change", a = "{a}"', is_plain=False)
    for agg in ("against_own", "slope"):
        for a in r.sample(seatable, 5) + [r.choice(per_seat), r.choice(ratios), r.choice(ratios)]:
            add("own" if agg == "against_own" else "slope", f'agg = "{agg}", a = "{a}", weeks = {r.choice([3, 4, 8, 12])}', is_plain=False)
    top = ""
    if r.random() < 0.5:
        top = (f'payment_terms_days = {r.choice([0, 14, 30, 60])}\nusage_rhythm = "{r.choice(["daily", "weekly", "monthly"])}"\n'
               f'milestones = [{{ name = "kickoff", due_after_days = {r.choice([0, 3])} }}, {{ name = "live", due_after_days = 45 }}, {{ name = "extra", due_after_days = 90 }}]\n\n')
    above, below = draw_scoring(r, dict(line.split(" = ", 1) for line in lines))
    return above + top + "[metrics]\n" + "\n".join(lines) + "\n" + below
