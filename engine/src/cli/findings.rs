//! Prints what was found in a file that a command checks.

use std::io::Write as _;
use std::path::Path;

use anyhow::bail;

use super::output;

/// Something about a file that is told.
pub(super) struct Finding {
    pub is_error: bool,
    pub key: String,
    /// Counted from 1.
    pub line: Option<usize>,
    pub nearest: Option<String>,
    pub text: String,
}

impl Finding {
    fn severity(&self) -> &'static str {
        if self.is_error { "error" } else { "doubt" }
    }

    fn json(&self) -> String {
        output::json_object([
            ("severity", output::json_text(self.severity())),
            ("key", output::json_text(&self.key)),
            ("line", self.line.map_or_else(|| "null".to_owned(), |line| line.to_string())),
            ("nearest", output::json_optional(self.nearest.as_deref())),
            ("text", output::json_text(&self.text)),
        ])
    }
}

/// Prints the findings of a file; `refusal` begins the error of a file that has errors, as "the model a.toml has".
pub(super) fn print(file: &Path, findings: &[Finding], as_json: bool, refusal: &str) -> anyhow::Result<()> {
    let errors = findings.iter().filter(|finding| finding.is_error).count();
    let shown = file.display();
    let mut out = output::out();
    if as_json {
        let object = output::json_object([
            ("file", output::json_text(&file.to_string_lossy())),
            ("usable", (errors == 0).to_string()),
            ("findings", output::json_list(findings.iter().map(Finding::json))),
        ]);
        writeln!(out, "{object}")?;
    } else {
        for finding in findings {
            let place = finding.line.map_or_else(|| shown.to_string(), |line| format!("{shown}:{line}"));
            writeln!(out, "{place}: {}: {}", finding.severity(), finding.text)?;
        }
        if findings.is_empty() {
            writeln!(out, "{shown}: nothing wrong, nothing doubtful")?;
        }
    }
    out.flush()?;
    match errors {
        0 => Ok(()),
        1 => bail!("{refusal} an error and cannot be used"),
        errors => bail!("{refusal} {errors} errors and cannot be used"),
    }
}
