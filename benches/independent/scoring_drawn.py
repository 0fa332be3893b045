"""The scoring half of a random model file: measures with every policy, sets of weights, profiles with conditions."""
import re

from filters_drawn import FAMILY_FILTERS, OTHER_FILTERS

CONDITIONS = [
    'status = "trial"', 'status = ["leaving", "ended", "free"]', 'status = { not = "paying" }', 'tier = "A"', 'tier = { not = "A" }', 'segment = ["smb", "none"]',
    'segment = { exists = true }', 'stage = "onboarding"', 'stage = { ge = "b" }', 'country = "DE"', 'deployment = "on_premise"', 'kind = "customer"',
    'usage_rhythm = ["daily", "weekly"]', '"roles.owner" = "ann"', '"roles.seller" = { exists = true }', 'age_days_below = 30', 'age_days_below = 120', 'ever_used = false',
    'ever_used = true', 'seats = { ge = 10 }', 'seats = { lt = 10, gt = 0 }', 'seats = 5', 'amount = { ge = 100000 }', 'amount = { lt = 500000 }', 'amount = { not = 0 }',
]


def draw_curve(r):
    """Values where drawn metrics lie, points up and down."""
    steps = r.choice([[-1, 0, 1], [0, 1], [0, 0.5, 1, 1.5], [0, 3, 10], [0, 30], [1, 5, 10], [-3, 4, 60, 365], [0, 2000]])
    points = sorted(r.choice([0, 10, 25, 50, 66.5, 80, 100]) for _ in steps)
    if r.random() < 0.3:
        points.reverse()
    elif r.random() < 0.2:
        r.shuffle(points)
    return "[" + ", ".join(f"[{x}, {y}]" for x, y in zip(steps, points)) + "]"


def names_a_field(metrics, name):
    """Whether the metric, or what it is composed of, counts only events with some field."""
    body = metrics[name]
    return "field = " in body or any(names_a_field(metrics, part) for part in re.findall(r'\b[ab] = "(\w+)"', body))


def draw_measure(r, metrics):
    metric, *others = chosen = r.sample(list(metrics), r.choice([1, 2, 2, 3]))
    parts = [f'metric = "{metric}"', f"curve = {draw_curve(r)}"]
    if others:
        parts.append("otherwise = [" + ", ".join(f'{{ metric = "{o}", curve = {draw_curve(r)} }}' for o in others) + "]")
    policy = r.choice([None, "exclude", "neutral", "worst", "last", "last"])
    if policy:
        parts.append(f'missing = "{policy}"')
    if policy == "last":
        parts.append(f"half_life_days = {r.choice([0.3, 1, 2.5, 6])}")
    if r.random() < 0.4:
        parts.append(f"max_age_days = {r.choice([1, 3, 10, 40])}")
        if r.random() < 0.4 or any(names_a_field(metrics, name) for name in chosen):  # reading 34
            parts.append(f"input = {r.choice(FAMILY_FILTERS + OTHER_FILTERS)}")
    return "{ " + ", ".join(parts) + " }"


def draw_groups(r, measures, sets):
    """Two or three groups that name each measure at most once; at least one measure of a group counts."""
    while True:
        free, groups, counts = set(measures), [], False
        for name in r.sample(["outcome", "experience", "aside"], r.choice([1, 2, 2, 3])):
            weight = r.choice([0, 1, 20, 80, 33.3])
            named = next((s for s in r.sample(list(sets), len(sets)) if set(sets[s]) <= free), None)
            if named and r.random() < 0.6:
                weights, text = sets[named], f'"{named}"'
            else:
                weights = {m: r.choice([0, 1, 10, 2.5]) for m in r.sample(sorted(free), min(len(free), r.choice([1, 2, 4])))}
                text = "{ " + ", ".join(f"{m} = {w}" for m, w in weights.items()) + " }"
            if weights:
                free -= set(weights)
                counts = counts or weight > 0 and any(weights.values())
                groups.append(f"{name} = {{ weight = {weight}, measures = {text} }}")
        if counts:
            return "{ " + ", ".join(groups) + " }"


def draw_scoring(r, metrics):
    """(what stands above [metrics], what stands below) for a model with these metrics, {name: body}."""
    red = r.choice([40, 40, 25.5, 50])
    top = (f'name = "drawn"\nversion = {r.randrange(1, 9)}\ncoverage_min = {r.choice([0.4, 0.2, 0.1, 0, 0.8])}\nband_margin = {r.choice([3, 3, 0, 12.5])}\n'
           f'bands = [{{ name = "red", below = {red} }}, {{ name = "yellow", below = {red + r.choice([15, 30])} }}, {{ name = "green" }}]\n')
    measures = {f"m{n}": draw_measure(r, metrics) for n in range(12)}
    halves = r.sample(list(measures), len(measures))
    sets = {name: {m: r.choice([0, 1, 5, 20, 7.5]) for m in part} for name, part in (("first", halves[:5]), ("second", halves[5:9]), ("third", halves[3:8]))}
    profiles = []
    for n in range(r.choice([0, 2, 4])):
        when = ", ".join("{ " + ", ".join({c.split(" ")[0]: c for c in r.sample(CONDITIONS, r.choice([1, 1, 2]))}.values()) + " }" for _ in range(r.choice([1, 1, 2])))
        profiles.append(f'[[profiles]]\nname = "p{n}"\nwhen = [{when}]\ngroups = {draw_groups(r, list(measures), sets)}\n')
    profiles.append(f'[[profiles]]\nname = "rest"\ngroups = {draw_groups(r, list(measures), sets)}\n')
    weights = "\n".join(f"{name} = {{ {', '.join(f'{m} = {w}' for m, w in of.items())} }}" for name, of in sets.items())
    return top, "\n[measures]\n" + "\n".join(f"{k} = {v}" for k, v in measures.items()) + f"\n\n[weights]\n{weights}\n\n" + "".join(profiles)
