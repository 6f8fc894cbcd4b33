//! Jitter: a delay that differs between transfers, so that transfers which wait for the same
//! time do not continue at once.

use std::time::Duration;

use crate::ids::TransferId;

/// Initial value of the hash FNV-1a with 64 bits.
const FNV_OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
/// Multiplier of FNV-1a with 64 bits.
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
/// Multipliers of the finalizer of the random number generator `SplitMix64`.
const FINALIZER_MULTIPLIERS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

/// Returns a delay between zero and `within` for a transfer.
///
/// The delay is a hash of the transfer's id. It is the same at each call, and practically
/// random between transfers.
#[must_use]
pub fn jitter(id: &TransferId, within: Duration) -> Duration {
    // Ids that were created at nearly the same time differ in few digits. So the result of FNV-1a
    // is mixed by the finalizer of SplitMix64.
    let hash = id
        .as_str()
        .bytes()
        .fold(FNV_OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
    let [first_multiplier, second_multiplier] = FINALIZER_MULTIPLIERS;
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(first_multiplier);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(second_multiplier);
    // The upper 32 bits are the delay as a fraction of `within`, in units of 1 / 2^32.
    let fraction = (mixed ^ (mixed >> 31)) >> 32;
    let nanos = (within.as_nanos() * u128::from(fraction)) >> 32;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_distributes_a_thousand_transfers_over_thirty_seconds() {
        let mut seconds = [0_u32; 30];
        for number in 0..1000 {
            let id = TransferId::from_u128(0x0193_5678_90ab_7000_8000_0000_0000_0000 + number);
            let delay = jitter(&id, Duration::from_secs(30));
            assert_eq!(delay, jitter(&id, Duration::from_secs(30)), "it is the same at each call");
            seconds[usize::try_from(delay.as_secs()).unwrap()] += 1;
        }
        // The average is 33.
        assert!(seconds.iter().all(|count| (10..70).contains(count)), "{seconds:?}");
    }
}
