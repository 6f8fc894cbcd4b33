//! What the demo sends.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::pdf::pdf;

/// Where a document's bytes come from.
#[derive(Debug)]
pub(crate) enum Content {
    /// These bytes are put into the object store.
    Bytes(Vec<u8>),
    /// The object store makes them up itself: too many to be carried there first.
    Generated { bytes: u64, seed: u64 },
    /// There is no such document.
    Unknown,
}

/// One document of the demo.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its GUID in the object store, in base64.
    pub(crate) guid: String,
    pub(crate) filename: &'static str,
    pub(crate) mimetype: &'static str,
    /// The folder in the recipient's OneDrive; `None` is the root.
    pub(crate) folder: Option<&'static str>,
    pub(crate) content: Content,
}

impl Item {
    /// Whether the service ought to deliver it.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self.content, Content::Unknown)
    }

    /// Where it ought to lie in the recipient's OneDrive, without a leading slash.
    pub(crate) fn destination(&self) -> String {
        match self.folder {
            Some(folder) => format!("{folder}/{}", self.filename),
            None => self.filename.to_owned(),
        }
    }
}

/// The documents, each hard in a way of its own: a real one, a long one, an empty
/// one, one with a name that breaks careless encoding, and one that does not exist.
pub(crate) fn documents() -> Vec<Item> {
    vec![
        Item {
            guid: guid(),
            filename: "Reasons for judgment.pdf",
            mimetype: "application/pdf",
            folder: Some("Judgments"),
            content: Content::Bytes(pdf(15_000_000, 1)),
        },
        Item {
            guid: guid(),
            filename: "Exhibit 12 video.mp4",
            mimetype: "video/mp4",
            folder: Some("Exhibits"),
            content: Content::Generated { bytes: 300_000_000, seed: 300 },
        },
        Item {
            guid: guid(),
            filename: "empty.txt",
            mimetype: "text/plain",
            folder: None,
            content: Content::Bytes(Vec::new()),
        },
        Item {
            guid: guid(),
            filename: "Ōtāhuhu #3 50% + l'été 法廷.pdf",
            mimetype: "application/pdf",
            folder: Some("Court Lists/2026-11-23/Courtroom 201"),
            content: Content::Bytes(pdf(1_500_000, 2)),
        },
        Item {
            guid: guid(),
            filename: "(unknown document)",
            mimetype: "",
            folder: None,
            content: Content::Unknown,
        },
    ]
}

fn guid() -> String {
    STANDARD.encode(fastrand::u128(..).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_are_those_that_were_promised() {
        let items = documents();
        let sizes: Vec<_> = items
            .iter()
            .map(|item| match &item.content {
                Content::Bytes(bytes) => Some(bytes.len() as u64),
                Content::Generated { bytes, .. } => Some(*bytes),
                Content::Unknown => None,
            })
            .collect();
        assert!((15_000_000..16_000_000).contains(&sizes[0].unwrap()));
        assert_eq!((sizes[1], sizes[2], sizes[4]), (Some(300_000_000), Some(0), None));
        for needed in ['#', '%', '+', '\'', ' ', '法'] {
            assert!(items[3].destination().contains(needed), "{needed}");
        }
        assert!(items.iter().all(|item| STANDARD.decode(&item.guid).unwrap().len() == 16));
    }
}
