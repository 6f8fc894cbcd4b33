//! The documents that the demo sends, with the expected end of each transfer.
//!
//! An [`Item`] is one document for one recipient. The same document may be in several items.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::pdf::pdf;

const PDF_TYPE: &str = "application/pdf";

/// Content of a document, and how the object store gets it.
#[derive(Debug)]
pub(crate) enum Content {
    /// The demo uploads these bytes to the object store.
    Bytes(Vec<u8>),
    /// The object store generates this number of bytes, which are too many to upload.
    Generated { bytes: u64, seed: u64 },
    /// An earlier item adds this document.
    SameDocument,
    /// The document does not exist.
    Unknown,
}

/// Expected end of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExpectedEnd {
    /// The document is in the recipient's OneDrive.
    Delivered,
    /// The transfer fails because the document does not exist, and reports this reason.
    NotFound,
    /// The demo stops the transfer midway. No file and no upload session remain.
    Terminated,
}

/// One document of the demo for one recipient.
#[derive(Debug)]
pub(crate) struct Item {
    /// Name in the results table.
    pub(crate) label: &'static str,
    /// GUID in the object store, in base64.
    pub(crate) guid: String,
    pub(crate) filename: &'static str,
    pub(crate) mimetype: &'static str,
    /// Index of the recipient in the list of users.
    pub(crate) recipient: usize,
    /// Folder in the recipient's OneDrive. `None` stands for the root folder.
    pub(crate) folder: Option<&'static str>,
    pub(crate) content: Content,
    pub(crate) expected_end: ExpectedEnd,
}

impl Item {
    /// Returns whether the document exists.
    pub(crate) fn exists(&self) -> bool {
        self.expected_end != ExpectedEnd::NotFound
    }

    /// Returns the size of the document, or 0 if the item does not contain the size.
    pub(crate) fn size(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Generated { bytes, .. } => *bytes,
            Content::SameDocument | Content::Unknown => 0,
        }
    }

    /// Returns the expected path in the recipient's OneDrive, without a leading slash.
    pub(crate) fn destination(&self) -> String {
        match self.folder {
            Some(folder) => format!("{folder}/{}", self.filename),
            None => self.filename.to_owned(),
        }
    }
}

/// Returns the documents. Each of them tests a different difficulty:
///
/// - a PDF of ordinary size
/// - a large file
/// - an empty file
/// - a file whose name needs correct URL encoding
/// - a file whose transfer is stopped while its bytes move
/// - a file for two recipients at the same time
/// - a document that does not exist
pub(crate) fn documents() -> Vec<Item> {
    let delivered = |filename, mimetype, folder, content| Item {
        label: filename,
        guid: random_guid(),
        filename,
        mimetype,
        recipient: 0,
        folder,
        content,
        expected_end: ExpectedEnd::Delivered,
    };
    let for_first_user = delivered(
        "Notice of hearing.pdf",
        PDF_TYPE,
        Some("NotificationOutbox"),
        Content::Bytes(pdf(4_000_000, 3)),
    );
    let for_second_user = Item {
        label: "Notice of hearing.pdf (2nd user)",
        guid: for_first_user.guid.clone(),
        recipient: 1,
        ..delivered(for_first_user.filename, PDF_TYPE, for_first_user.folder, Content::SameDocument)
    };
    vec![
        delivered(
            "Reasons for judgment.pdf",
            PDF_TYPE,
            Some("Judgments"),
            Content::Bytes(pdf(15_000_000, 1)),
        ),
        delivered(
            "Exhibit 12 video.mp4",
            "video/mp4",
            Some("Exhibits"),
            Content::Generated { bytes: 300_000_000, seed: 300 },
        ),
        delivered("empty.txt", "text/plain", None, Content::Bytes(Vec::new())),
        delivered(
            "Ōtāhuhu #3 50% + l'été 法廷.pdf",
            PDF_TYPE,
            Some("Court Lists/2026-11-23/Courtroom 201"),
            Content::Bytes(pdf(1_500_000, 2)),
        ),
        Item {
            label: "Hearing recording.mp4 (stopped)",
            expected_end: ExpectedEnd::Terminated,
            ..delivered(
                "Hearing recording.mp4",
                "video/mp4",
                Some("Recordings"),
                Content::Generated { bytes: 250_000_000, seed: 250 },
            )
        },
        for_first_user,
        for_second_user,
        Item {
            expected_end: ExpectedEnd::NotFound,
            ..delivered("(unknown document)", "", None, Content::Unknown)
        },
    ]
}

/// Returns a random GUID in base64.
fn random_guid() -> String {
    STANDARD.encode(fastrand::u128(..).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demo_documents_cover_every_listed_difficulty() {
        let items = documents();
        let sizes: Vec<_> = items
            .iter()
            .map(|item| match &item.content {
                Content::Bytes(bytes) => Some(bytes.len() as u64),
                Content::Generated { bytes, .. } => Some(*bytes),
                Content::SameDocument | Content::Unknown => None,
            })
            .collect();
        assert!((15_000_000..16_000_000).contains(&sizes[0].unwrap()));
        assert_eq!((sizes[1], sizes[2], sizes[7]), (Some(300_000_000), Some(0), None));
        // The path of this document needs correct URL encoding.
        for needed in ['#', '%', '+', '\'', ' ', '法'] {
            assert!(items[3].destination().contains(needed), "{needed}");
        }
        // This document is large enough to be stopped midway.
        assert!(
            items[4].expected_end == ExpectedEnd::Terminated && sizes[4].unwrap() > 200_000_000
        );
        let (first, second) = (&items[5], &items[6]);
        assert_eq!((&first.guid, first.destination()), (&second.guid, second.destination()));
        assert_ne!(first.recipient, second.recipient);
        assert!(items.iter().all(|item| STANDARD.decode(&item.guid).unwrap().len() == 16));
    }
}
