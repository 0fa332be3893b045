//! How the records of a source are decoded: by its configuration, or by a mapping that comes with the request.

use std::collections::HashMap;
use std::sync::Arc;

use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::mapping::{MAPPING_BYTES_MAX, Mapping, MappingError};
use tidewatch_projections::names::Names;

use super::api_error::ApiError;
use crate::app::Engine;

/// Longest name of a source, in bytes.
pub const SOURCE_BYTES_MAX: usize = 512;

/// A format with the digest that the log knows it by.
#[derive(Clone, Debug)]
pub struct SourceFormat {
    /// How records are written.
    pub format: Format,
    /// Digest of the mapping, empty for native JSON.
    pub mapping_digest: Box<str>,
}

impl SourceFormat {
    pub fn native() -> Self {
        Self { format: Format::Native, mapping_digest: "".into() }
    }

    /// Records read by a mapping.
    pub fn mapped(mapping: Mapping) -> Self {
        let mapping_digest = mapping.digest().into();
        Self { format: Format::Mapped(Arc::new(mapping)), mapping_digest }
    }

    /// The format that the text of a mapping file says; native JSON without one.
    ///
    /// # Errors
    /// When the mapping does not fit its grammar.
    pub fn of_mapping(text: &str) -> Result<Self, MappingError> {
        match text {
            "" => Ok(Self::native()),
            text => Mapping::parse(text).map(Self::mapped),
        }
    }
}

/// Checks the name of a source.
///
/// # Errors
/// When it is empty or too long.
pub fn check_source(source: &str) -> Result<(), ApiError> {
    match source.len() {
        0 => Err(ApiError::InvalidSource),
        bytes if bytes > SOURCE_BYTES_MAX => {
            Err(ApiError::TooLong { field: "source", bytes, most: SOURCE_BYTES_MAX })
        }
        _ => Ok(()),
    }
}

/// Reads a mapping that came with a request; none is native JSON.
///
/// # Errors
/// When it is too long or does not fit its grammar.
pub fn asked(mapping: &str) -> Result<SourceFormat, ApiError> {
    if mapping.len() > MAPPING_BYTES_MAX {
        let (bytes, most) = (mapping.len(), MAPPING_BYTES_MAX);
        return Err(ApiError::TooLong { field: "mapping", bytes, most });
    }
    SourceFormat::of_mapping(mapping).map_err(|error| ApiError::InvalidMapping { problem: error.to_string() })
}

/// How the sources of one engine are read.
pub struct Formats {
    names: Arc<Names>,
    tenant: Box<str>,
    limits: Limits,
    configured: HashMap<String, SourceFormat>,
}

impl Formats {
    /// The formats of an engine whose configured sources are these.
    pub fn new(engine: &Engine, limits: Limits, configured: HashMap<String, SourceFormat>) -> Self {
        let tenant = engine.directory().tenant().into();
        Self { names: Arc::clone(engine.names()), tenant, limits, configured }
    }

    /// The limits of one record.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How a source of the configuration is read; `None` for any other.
    pub fn configured(&self, source: &str) -> Option<&SourceFormat> {
        self.configured.get(source)
    }

    /// A decoder of a source's records.
    pub fn decoder(&self, source: &str, format: &SourceFormat) -> Decoder {
        let names = Arc::clone(&self.names);
        Decoder::new(names, &self.tenant, source, self.limits.clone(), format.format.clone())
    }
}
