//! The contracts of Tidewatch.
