//! The only thing that may stay of a secret value.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA-256 of a secret value, 64 hex digits; `None` without a key.
pub(super) fn fingerprint(key: Option<&[u8]>, value: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key?).ok()?;
    mac.update(value);
    Some(HEXLOWER.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_needs_a_key() {
        assert_eq!(fingerprint(None, b"x"), None);
        assert_eq!(
            fingerprint(Some(b"key"), b"The quick brown fox jumps over the lazy dog").as_deref(),
            Some("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8")
        );
    }
}
