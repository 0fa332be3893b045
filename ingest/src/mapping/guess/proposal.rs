//! Builds the text of the proposed mapping file, with what was recognised and what a person must decide.

/// The proposal as far as it is written.
#[derive(Default)]
pub(super) struct Proposal {
    pub(super) file: String,
    pub(super) found: Vec<(String, String)>,
    pub(super) open_questions: Vec<String>,
}

impl Proposal {
    /// Adds a sentence on what a person must decide, and writes it as a comment at this place of the file.
    pub(super) fn ask(&mut self, sentence: String) {
        self.file += &format!("# {sentence}\n");
        self.open_questions.push(sentence);
    }

    /// Writes a target that is read from a path.
    pub(super) fn target(&mut self, name: &str, path: &str) {
        self.file += &format!("{name} = {}\n", quote(path));
        self.found.push((name.to_owned(), path.to_owned()));
    }
}

/// The text as a quoted TOML string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
