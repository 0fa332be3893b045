//! Common names of the fields that events need, in snake case, the most specific first.

/// Names of the id of an event.
pub const ID: &[&str] =
    &["id", "event_id", "message_id", "uuid", "_id", "record_id", "key", "insert_id", "guid", "request_id"];
/// Endings of the names of ids.
pub const ID_ENDS: &[&str] = &["id", "uuid", "guid", "key", "nr", "no", "number", "code"];
/// Names of the time at which an event happened.
pub const TIME: &[&str] = &[
    "occurred_at",
    "ts",
    "timestamp",
    "event_time",
    "time",
    "created_at",
    "created",
    "datetime",
    "date",
    "at",
    "when",
    "event_date",
    "original_timestamp",
    "sent_at",
    "received_at",
    "updated_at",
    "invoice_date",
    "opened_at",
];
/// Words within the names of times.
pub const TIME_WORDS: &[&str] = &[
    "time",
    "date",
    "at",
    "ts",
    "timestamp",
    "datetime",
    "when",
    "day",
    "created",
    "occurred",
    "sent",
    "datum",
    "zeit",
];
/// Names of the account that an event is about.
pub const ACCOUNT: &[&str] = &[
    "account",
    "account_id",
    "customer",
    "customer_id",
    "organization",
    "organization_id",
    "organisation",
    "organisation_id",
    "org",
    "org_id",
    "company",
    "company_id",
    "group_id",
    "workspace",
    "workspace_id",
    "client",
    "client_id",
    "team",
    "team_id",
    "site",
    "account_name",
    "customer_name",
    "company_name",
    "account_number",
    "organization_name",
    "organisation_name",
    "org_name",
    "workspace_name",
    "team_name",
    "client_name",
    "customer_number",
    "tenant",
    "tenant_id",
    "tenant_name",
    "merchant",
    "merchant_id",
    "store",
    "store_id",
    "shop",
    "shop_id",
    "site_id",
    "business",
    "business_id",
    "subscriber_id",
    "project_id",
    "buyer",
    "buyer_id",
    "kunde",
    "kundennummer",
];
/// Names of the user who acted.
pub const USER: &[&str] = &[
    "user",
    "user_id",
    "username",
    "requester_id",
    "requester",
    "member",
    "member_id",
    "person",
    "person_id",
    "author",
    "caller",
    "contact",
    "contact_id",
    "email",
    "user_email",
    "login",
    "anonymous_id",
    "distinct_id",
    "actor_id",
    "respondent",
    "respondent_id",
    "user_name",
    "person_name",
    "contact_email",
    "requester_email",
    "actor_email",
    "customer_email",
    "created_by",
    "employee_id",
    "visitor_id",
];
/// Names of the type of an event.
pub const TYPE: &[&str] = &[
    "type",
    "event_type",
    "event",
    "action",
    "event_name",
    "kind",
    "activity",
    "topic",
    "activity_type",
    "record_type",
    "operation",
    "entity",
    "object",
    "category",
    "art",
];
/// Names of the feature that was used.
pub const FEATURE: &[&str] = &[
    "feature",
    "feature_name",
    "module",
    "page",
    "screen",
    "object",
    "item",
    "sku",
    "product",
    "area",
    "endpoint",
    "event",
    "name",
    "path",
];
/// Names of an amount of money.
pub const AMOUNT: &[&str] =
    &["amount", "total", "amount_due", "amount_paid", "price", "revenue", "net", "gross", "value"];
/// Names of the currency of an amount.
pub const CURRENCY: &[&str] = &["currency", "currency_code", "amount_currency"];
/// Names of a quantity: how much or how often.
pub const QUANTITY: &[&str] = &["quantity", "qty", "count", "units"];
/// Names of an object that holds all other properties.
pub const PROPERTIES: &[&str] =
    &["properties", "props", "data", "attributes", "payload", "details", "metadata"];
/// Names of the id of a support ticket.
pub const TICKET: &[&str] = &[
    "ticket_id",
    "ticket",
    "case_id",
    "case",
    "incident_id",
    "incident",
    "issue_id",
    "issue",
    "conversation_id",
    "number",
];
/// Names of objects whose `id` is the id of the entity that the event is about.
pub const THINGS: &[&str] = &["object", "data", "resource", "entity", "record", "payload", "item"];
/// Names of the id of an invoice.
pub const INVOICE: &[&str] = &["invoice_id", "invoice", "invoice_number", "invoice_no", "bill_id", "number"];
/// Names of the id of a subscription.
pub const SUBSCRIPTION: &[&str] = &["subscription_id", "subscription", "contract_id", "contract"];
/// Names of the answer to an NPS survey.
pub const NPS: &[&str] = &["nps", "nps_score", "net_promoter_score", "likelihood_to_recommend"];
/// Names of the answer to a satisfaction survey (CSAT).
pub const CSAT: &[&str] =
    &["csat", "csat_score", "satisfaction_score", "satisfaction_rating", "satisfaction"];
/// Names of the answer to a survey whose kind is known otherwise.
pub const SCORE: &[&str] = &["score", "rating", "satisfaction", "nps", "csat", "answer", "value", "amount"];
