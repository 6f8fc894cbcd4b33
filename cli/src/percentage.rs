//! Conversion of a percentage to bytes. The status of a transfer contains only a percentage, and
//! the display needs bytes.

/// Percentage at which the upload to the destination starts. Below it, the document is on
/// its way from the object store.
pub(crate) const PERCENT_AT_UPLOAD_START: u8 = 10;

/// Converts a percentage to bytes. 10 % stands for 0 bytes, and 100 % for `size`.
#[must_use]
pub fn bytes_at(percent: u8, size: u64) -> u64 {
    let uploaded = u128::from(percent.min(100).saturating_sub(PERCENT_AT_UPLOAD_START));
    let upload_span = u128::from(100 - PERCENT_AT_UPLOAD_START);
    u64::try_from(u128::from(size) * uploaded / upload_span).unwrap_or(size)
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
