//! The figures that an alert is about.

/// What an alert says in numbers and in a sentence. What does not apply is absent.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Figures {
    /// The adjusted p of the drop detector.
    pub p: Option<f64>,
    /// By what share activity fell.
    pub drop: Option<f64>,
    /// Activity expected in the last seven days.
    pub expected: Option<f64>,
    /// Activity of a usual week when the alert opened; what the return of the account is held against.
    pub level: Option<f64>,
    /// Values of the metrics that a rule names, or of the score, by name.
    pub values: Vec<(Box<str>, f64)>,
    /// The accounts of a storm, in their order.
    pub members: Vec<Box<str>>,
    /// What happened, in words.
    pub text: Box<str>,
}
