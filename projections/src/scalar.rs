//! The value of a metric.

/// A metric's value. Missing is `None` around it and never 0.
#[derive(Clone, PartialEq, Debug)]
pub enum Scalar {
    /// A real number.
    Number(f64),
    /// An exact whole number.
    Integer(i128),
    /// Anything `last` may bring that is no number.
    Text(String),
}

impl Scalar {
    /// The number it is, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Integer(number) => Some(*number as f64),
            Self::Text(_) => None,
        }
    }
}
