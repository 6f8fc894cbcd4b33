//! Tests of the simulator's quickXorHash. It is compared with published test vectors and with a
//! public implementation.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use docferry_sim_graph::QuickXorHash;

fn hash(bytes: &[u8]) -> String {
    let mut hash = QuickXorHash::default();
    hash.update(bytes);
    hash.base64()
}

#[test]
fn quick_xor_hash_matches_the_contract_vectors() {
    let vectors: [(&[u8], &str); 6] = [
        (b"", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        (&[0x4a], "SgAAAAAAAAAAAAAAAQAAAAAAAAA="),
        (&[0xb5, 0xb4], "taAFAAAAAAAAAAAAAgAAAAAAAAA="),
        (
            &[
                0x4f, 0xa2, 0xd8, 0x24, 0x87, 0xc3, 0x87, 0xcd, 0x49, 0xac, 0x02, 0xb7, 0xd3, 0xd1,
                0xf6, 0x24, 0xc2, 0x53, 0x5e, 0x2b,
            ],
            "zBTHrspn3mEcohlJdIUAbjGNaNg=",
        ),
        (b"hello world", "aCgDG9jwBhDc4Q1yawMZAAAAAAA="),
        (b"1\n", "MVAAAAAAAAAAAAAAAgAAAAAAAAA="),
    ];
    for (input, expected) in vectors {
        assert_eq!(hash(input), expected);
    }
}

#[test]
fn quick_xor_hash_matches_a_public_implementation_for_any_chunking() {
    let all: Vec<u8> =
        (0..5000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for length in [1, 7, 8, 19, 20, 159, 160, 161, 319, 320, 1000, 5000] {
        let mut oracle = quickxorhash::QuickXorHash::new();
        oracle.update(&all[..length]);
        let expected = oracle.finalize();
        let expected_text = STANDARD.encode(expected);
        for cut in [1, 3, 64, 160, 333] {
            let mut hash = QuickXorHash::default();
            all[..length].chunks(cut).for_each(|chunk| hash.update(chunk));
            assert_eq!(hash.base64(), expected_text, "{length} bytes cut by {cut}");
        }
    }
}
