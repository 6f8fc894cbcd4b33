//! Documents for the tests: the in-memory source contains them, and the registry contains their
//! records.

use docferry_domain::document::DocumentRecord;
use docferry_testkit::World;
use docferry_testkit::builders::document_record;

/// Number of the first document. The second document has the next number, and so on.
pub(crate) const FIRST_FILE_ID: u64 = 12_345;

/// Size of each document in bytes.
pub(crate) const DOCUMENT_SIZE: usize = 1_000_000;

/// Creates a world with `count` documents, numbered from [`FIRST_FILE_ID`]. Their GUIDs are
/// `000000AA`, `000001AA` and so on.
pub(crate) fn world_with_documents(count: u64) -> World {
    let world = World::default();
    for number in 0..count {
        let guid = format!("{number:06}AA");
        let name = format!("order {number}.pdf");
        world.add_document(&guid, &name, vec![7; DOCUMENT_SIZE]);
        let record = DocumentRecord {
            obj_guid: guid.parse().unwrap(),
            file_name: name.parse().unwrap(),
            size: DOCUMENT_SIZE as u64,
            ..document_record(FIRST_FILE_ID + number)
        };
        world.registry().insert(record);
    }
    world
}
