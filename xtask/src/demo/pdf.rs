//! Generator of valid PDF files with a given size, for the demo.
//!
//! Each page has a text and a picture of random noise. Noise cannot be compressed, so a compression
//! on the way cannot make the delivery look faster. A seed makes the noise reproducible. A PDF file
//! is a sequence of numbered *objects*, and a table (`xref`) with the offset of each object.

/// Title of the document, printed on each page.
const TITLE: &str = "Court list";
/// Width and height of a page's picture in pixels of 3 bytes.
const PICTURE_SIDE: usize = 500;
const PICTURE_BYTES: usize = PICTURE_SIDE * PICTURE_SIDE * 3;
/// Number of objects before the first page: catalog, page tree, font and title.
const GENERAL_OBJECTS: usize = 4;
/// Number of objects of a page: the page itself, its contents and its picture.
const OBJECTS_PER_PAGE: usize = 3;

/// Returns a PDF that is slightly larger than `bytes`. It has at least one page.
pub(crate) fn pdf(bytes: usize, seed: u64) -> Vec<u8> {
    let page_count = bytes.div_ceil(PICTURE_BYTES).max(1);
    let mut noise = fastrand::Rng::with_seed(seed);
    let mut file = Writer::begin();
    let page_references: Vec<String> =
        (0..page_count).map(|page| format!("{} 0 R", page_id(page))).collect();
    file.object(1, b"<< /Type /Catalog /Pages 2 0 R >>");
    let tree =
        format!("<< /Type /Pages /Count {page_count} /Kids [{}] >>", page_references.join(" "));
    file.object(2, tree.as_bytes());
    file.object(3, b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
    file.object(4, format!("<< /Title ({TITLE}) /Producer (docferry demo) >>").as_bytes());
    for page in 0..page_count {
        let (id, contents, picture) = (page_id(page), page_id(page) + 1, page_id(page) + 2);
        let body = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {contents} 0 R \
             /Resources << /Font << /F1 3 0 R >> /XObject << /Im1 {picture} 0 R >> >> >>"
        );
        file.object(id, body.as_bytes());
        let number = page + 1;
        let drawing = format!(
            "BT /F1 20 Tf 72 720 Td ({TITLE}, page {number} of {page_count}) Tj ET\n\
             q 468 0 0 468 72 200 cm /Im1 Do Q\n"
        );
        file.stream(contents, "", drawing.as_bytes());
        let mut pixels = vec![0; PICTURE_BYTES];
        noise.fill(&mut pixels);
        let entries = format!(
            "/Type /XObject /Subtype /Image /Width {PICTURE_SIDE} /Height {PICTURE_SIDE} \
             /ColorSpace /DeviceRGB /BitsPerComponent 8 "
        );
        file.stream(picture, &entries, &pixels);
    }
    file.finish()
}

/// Returns the object id of a page. The ids of a PDF file begin with 1.
fn page_id(page: usize) -> usize {
    1 + GENERAL_OBJECTS + OBJECTS_PER_PAGE * page
}

/// Writer of a PDF file. Objects must be written in the order of their ids.
struct Writer {
    bytes: Vec<u8>,
    /// Offset of each object in the file.
    offsets: Vec<usize>,
}

impl Writer {
    fn begin() -> Self {
        // The second line contains non-ASCII bytes, so that tools recognize the file as binary.
        Self { bytes: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec(), offsets: Vec::new() }
    }

    fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn object(&mut self, id: usize, body: &[u8]) {
        debug_assert_eq!(id, self.offsets.len() + 1, "objects must be written in order");
        self.offsets.push(self.bytes.len());
        self.text(&format!("{id} 0 obj\n"));
        self.bytes.extend_from_slice(body);
        self.text("\nendobj\n");
    }

    fn stream(&mut self, id: usize, entries: &str, data: &[u8]) {
        let mut body = format!("<< {entries}/Length {} >>\nstream\n", data.len()).into_bytes();
        body.extend_from_slice(data);
        body.extend_from_slice(b"\nendstream");
        self.object(id, &body);
    }

    fn finish(mut self) -> Vec<u8> {
        let xref_offset = self.bytes.len();
        let size = self.offsets.len() + 1;
        // Each entry is exactly 20 bytes long, including its line end.
        self.text(&format!("xref\n0 {size}\n0000000000 65535 f \n"));
        for offset in std::mem::take(&mut self.offsets) {
            self.text(&format!("{offset:010} 00000 n \n"));
        }
        self.text(&format!(
            "trailer\n<< /Size {size} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{xref_offset}\n%%EOF\n"
        ));
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number that follows the last occurrence of `mark`.
    fn number_after(file: &[u8], mark: &[u8]) -> usize {
        let position = file.windows(mark.len()).rposition(|window| window == mark).unwrap();
        let digits = file[position + mark.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
    }

    #[test]
    fn pdf_header_xref_table_and_trailer_are_valid() {
        let file = pdf(2_000_000, 7);

        assert!(file.starts_with(b"%PDF-1.7\n"));
        assert!(file.ends_with(b"\n%%EOF\n"));
        let xref_offset = number_after(&file, b"startxref\n");
        assert!(file[xref_offset..].starts_with(b"xref\n0 "));
        // The slice ends in the first lines of the table, before the `xref` of `startxref`.
        let size = number_after(&file[..xref_offset + 16], b"xref\n0 ");
        assert_eq!(size, number_after(&file, b"/Size "));
        // The unused object 0, four general objects, and three objects for each of three pages.
        assert_eq!(size, 1 + 4 + 3 * 3);
        let first_entry = xref_offset + format!("xref\n0 {size}\n").len();
        for id in 1..size {
            let entry = &file[first_entry + 20 * id..first_entry + 20 * (id + 1)];
            assert!(entry.ends_with(b" 00000 n \n"), "{:?}", String::from_utf8_lossy(entry));
            let offset: usize = std::str::from_utf8(&entry[..10]).unwrap().parse().unwrap();
            let expected = format!("{id} 0 obj\n");
            assert!(file[offset..].starts_with(expected.as_bytes()), "object {id} at {offset}");
        }
    }

    #[test]
    fn pdf_stream_lengths_are_correct() {
        let file = pdf(1, 7);
        let mut position = 0;
        let mut streams = 0;
        while let Some(found) =
            file[position..].windows(8).position(|window| window == b"\nstream\n")
        {
            let data = position + found + 8;
            let length = number_after(&file[..data], b"/Length ");
            assert!(file[data + length..].starts_with(b"\nendstream\n"));
            position = data + length;
            streams += 1;
        }
        assert_eq!(streams, 2, "one page has a text and a picture");
    }

    #[test]
    fn pdf_has_the_requested_size_and_is_reproducible() {
        let file = pdf(15_000_000, 1);
        assert!((15_000_000..15_100_000).contains(&file.len()), "{}", file.len());
        assert_eq!(file, pdf(15_000_000, 1));
    }
}
