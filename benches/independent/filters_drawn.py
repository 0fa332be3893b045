"""Filters that drawn models choose from."""

FAMILY_FILTERS = ['{ family = "usage" }', '{ family = "value" }', '{ family = "support" }', '{ family = "survey" }', '{ type = "usage" }', '{ family = ["usage", "value"] }']
OTHER_FILTERS = [
    '{ family = "usage", feature = "export" }', '{ family = "usage", feature = ["export", "Search", "b c"] }', '{ family = "usage", feature = { not = "export" } }',
    '{ type = ["ticket_opened", "ticket_reopened"] }', '{ type = "nps_answered", "properties.score" = { ge = 7 } }', '{ type = { not = "usage" } }',
    '{ family = { not = ["usage", "account"] } }', '{ type = "usage", user = { exists = true } }', '{ type = "usage", user = { exists = false } }',
    '{ type = "usage", product = "core" }', '{ type = "usage", product = { not = "core" } }', '{ type = "usage", source = ["app", "App"] }',
    '{ type = "usage", actor = "service" }', '{ type = "usage", actor = "person" }', '{ type = "usage", quantity = { gt = 1, le = 5 } }', '{ type = "usage", quantity = 0.5 }',
    '{ type = "usage", quantity = { lt = 0 } }', '{ family = "billing", currency = "JPY" }', '{ type = "invoice_issued", amount = { ge = 10000 }, currency = "EUR" }',
    '{ type = "usage", "properties.flag" = true }', '{ type = "usage", "properties.flag" = 1 }', '{ type = "usage", "properties.flag" = "true" }',
    '{ type = "usage", "properties.flag" = { exists = true } }', '{ type = "usage", "properties.flag" = { not = [true, 0] } }',
    '{ type = "usage", "properties.duration_s" = { ge = 12.5 } }', '{ properties.n = 1 }', '{ type = "beta.clicked" }', '{ type = "never_seen" }',
    '{ type = "value", metric = "orders" }', '{ user = "shared" }', '{ user = { lt = "u2" } }', '{ "properties.priority" = { ge = "i" } }', '{ }', '{ family = "usage", type = "nps_answered" }', '{ type = "usage.count" }',
]
