//! Rejects calls for a tenant that this engine does not hold.

use std::sync::Arc;

use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::api_error::ApiError;

/// The metadata that names the tenant; without it the tenant held is meant.
pub const TENANT_METADATA: &str = "tidewatch-tenant";

/// Lets calls for one tenant through.
#[derive(Clone, Debug)]
pub struct TenantCheck {
    tenant: Arc<str>,
}

impl TenantCheck {
    /// The tenant_check of an engine that holds this tenant.
    pub fn new(tenant: Arc<str>) -> Self {
        Self { tenant }
    }
}

impl Interceptor for TenantCheck {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match request.metadata().get(TENANT_METADATA) {
            Some(asked) if asked.as_bytes() != self.tenant.as_bytes() => {
                let asked = String::from_utf8_lossy(asked.as_bytes()).into_owned();
                Err(ApiError::TenantUnknown { asked, held: self.tenant.to_string() }.into())
            }
            _ => Ok(request),
        }
    }
}
