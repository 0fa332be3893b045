//! How alerts are printed.

use comfy_table::Table;
use tidewatch_proto::v1;

use super::output;

/// Characters of the sentence that a table shows.
const TEXT_COLUMNS: usize = 90;

/// The form that programs rely on.
pub(super) fn json(transition: &v1::AlertTransition) -> String {
    let figures = transition.figures.clone().unwrap_or_default();
    let mut told = vec![
        ("p", output::json_number(figures.p)),
        ("drop", output::json_number(figures.drop)),
        ("expected", output::json_number(figures.expected)),
        ("text", output::json_text(&figures.text)),
    ];
    let values: Vec<(&str, String)> = figures
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), output::json_number(Some(*value))))
        .collect();
    if !values.is_empty() {
        told.push(("values", output::json_object(values)));
    }
    if !figures.members.is_empty() {
        let members = figures.members.iter().map(|member| output::json_text(member));
        told.push(("members", output::json_list(members)));
    }
    output::json_object([
        ("at", output::json_text(&output::instant(transition.at.as_ref()))),
        ("account", output::json_text(&transition.account)),
        ("rule", output::json_text(&transition.rule)),
        ("scope", output::json_text(&transition.scope)),
        ("transition", output::json_text(&transition.transition)),
        ("severity", output::json_text(&transition.severity)),
        ("cause", output::json_text(&transition.cause)),
        ("figures", output::json_object(told)),
    ])
}

/// Transitions for people, in their order.
pub(super) fn table(transitions: &[v1::AlertTransition]) -> Table {
    let mut table = output::table(["day", "account", "alert", "became", "severity", "why", "what happened"]);
    for transition in transitions {
        let text = transition.figures.as_ref().map_or("", |figures| figures.text.as_str());
        let name = match transition.scope.as_str() {
            "account" => transition.rule.clone(),
            scope => format!("{} ({scope})", transition.rule),
        };
        table.add_row([
            transition.day.clone(),
            transition.account.clone(),
            name,
            transition.transition.clone(),
            transition.severity.clone(),
            transition.cause.replace('_', " "),
            output::cut(text, TEXT_COLUMNS),
        ]);
    }
    table
}
