//! The mapping file in the making, with what was found and what a person must decide.

/// A file in the making.
#[derive(Default)]
pub(super) struct Proposal {
    pub(super) file: String,
    pub(super) found: Vec<(String, String)>,
    pub(super) doubts: Vec<String>,
}

impl Proposal {
    /// A sentence for the person, at this place of the file too.
    pub(super) fn doubt(&mut self, sentence: String) {
        self.file += &format!("# {sentence}\n");
        self.doubts.push(sentence);
    }

    /// A default that stands at a path.
    pub(super) fn target(&mut self, name: &str, path: &str) {
        self.file += &format!("{name} = {}\n", quote(path));
        self.found.push((name.to_owned(), path.to_owned()));
    }
}

/// A TOML text.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
