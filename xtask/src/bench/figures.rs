//! Median and format of measured values of the benchmarks.

use std::time::Duration;

/// Returns the median. For an even number of values, returns the lower of the two middle values.
pub(crate) fn median<T: Ord + Copy + Default>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Returns the value that `percent` of the values do not exceed.
pub(crate) fn percentile<T: Ord + Copy + Default>(values: &[T], percent: usize) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Formats seconds with two decimals.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_an_even_number_of_values_is_the_lower_middle_value() {
        assert_eq!(median(&[5, 1, 9]), 5);
        assert_eq!(median(&[4, 1, 9, 5]), 4);
        assert_eq!(median::<u64>(&[]), 0);
    }

    #[test]
    fn percentile_is_the_smallest_value_that_covers_its_share() {
        let values: Vec<u32> = (1..=200).rev().collect();
        assert_eq!((percentile(&values, 95), percentile(&values, 100)), (190, 200));
        assert_eq!(percentile(&[7], 95), 7);
        assert_eq!(percentile::<u64>(&[], 95), 0);
    }
}
