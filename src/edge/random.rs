//! Bytes that nobody can guess, from the TLS library's generator.

use rustls::crypto::{GetRandomFailed, aws_lc_rs};

/// The generator gave none.
#[derive(Debug, thiserror::Error)]
#[error("this machine gives no random bytes; give --redact-key")]
pub struct NoRandomness;

impl From<GetRandomFailed> for NoRandomness {
    fn from(_: GetRandomFailed) -> Self {
        Self
    }
}

/// Thirty-two of them.
///
/// # Errors
/// [`NoRandomness`] where the generator fails.
pub fn bytes() -> Result<[u8; 32], NoRandomness> {
    let mut bytes = [0; 32];
    aws_lc_rs::default_provider().secure_random.fill(&mut bytes)?;
    Ok(bytes)
}
