//! Conversion of a transfer's reported percentage to bytes. The service reports no bytes of a
//! transfer.

/// Percentage at which the upload to the destination starts. Below it, the document is on
/// its way from the object store.
pub(crate) const PERCENT_AT_UPLOAD_START: u8 = 10;

/// Converts a percentage to bytes: 10 to 100 % maps to 0 to `size`.
#[must_use]
pub fn bytes_at(percent: u8, size: u64) -> u64 {
    let done = u128::from(percent.min(100).saturating_sub(PERCENT_AT_UPLOAD_START));
    let span = u128::from(100 - PERCENT_AT_UPLOAD_START);
    u64::try_from(u128::from(size) * done / span).unwrap_or(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_to_one_hundred_percent_maps_to_zero_to_full_size() {
        assert_eq!(bytes_at(0, 900), 0);
        assert_eq!(bytes_at(10, 900), 0);
        assert_eq!(bytes_at(55, 900), 450);
        assert_eq!(bytes_at(100, 900), 900);
        assert_eq!(bytes_at(255, 900), 900);
        assert_eq!(bytes_at(100, u64::MAX), u64::MAX);
    }
}
