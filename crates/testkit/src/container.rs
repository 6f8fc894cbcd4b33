//! Builder of ZIP containers, which tests use as Office documents.

use bytes::Bytes;

/// Builds a ZIP file with these parts, which are stored without compression.
#[must_use]
pub fn zip_container(parts: &[(&str, &[u8])]) -> Bytes {
    let mut container = Vec::new();
    let mut directory = Vec::new();
    for (name, bytes) in parts {
        let offset = u32::try_from(container.len()).unwrap();
        let shared_fields = shared_fields(name, bytes);
        container.extend_from_slice(b"PK\x03\x04\x14\0");
        container.extend_from_slice(&shared_fields);
        container.extend_from_slice(name.as_bytes());
        container.extend_from_slice(bytes);
        directory.extend_from_slice(b"PK\x01\x02\x14\0\x14\0");
        directory.extend_from_slice(&shared_fields);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let start = u32::try_from(container.len()).unwrap();
    let count = u16::try_from(parts.len()).unwrap().to_le_bytes();
    container.extend_from_slice(&directory);
    container.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    container.extend_from_slice(&[count, count].concat());
    container.extend_from_slice(&u32::try_from(directory.len()).unwrap().to_le_bytes());
    container.extend_from_slice(&start.to_le_bytes());
    container.extend_from_slice(&[0, 0]);
    container.into()
}

/// Returns the header fields that a local file header and a central directory entry share, from the
/// flags to the length of the extra field.
fn shared_fields(name: &str, bytes: &[u8]) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let name = u16::try_from(name.len()).unwrap().to_le_bytes();
    let mut fields = vec![0; 8];
    fields.extend_from_slice(&crc32(bytes).to_le_bytes());
    fields.extend_from_slice(&[size, size].concat());
    fields.extend_from_slice(&name);
    fields.extend_from_slice(&[0, 0]);
    fields
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_has_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
