//! Latencies in buckets: any number of them in bounded room, percentiles to within two per cent.

/// Buckets of each doubling; a value lies at most half of this part of itself off the middle of its bucket.
const PARTS: u32 = 32;
const SHIFT: u32 = PARTS.trailing_zeros();

/// Microseconds, counted by size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Number of the bucket and how many are in it, in order. At most some two thousand, for there are no more.
    buckets: Vec<(u16, u64)>,
    pub count: u64,
    pub sum_us: u64,
    pub least_us: u64,
    pub most_us: u64,
}

impl Histogram {
    pub fn add(&mut self, micros: u64) {
        let bucket = bucket_of(micros);
        match self.buckets.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(n) => {
                if let Some((_, count)) = self.buckets.get_mut(n) {
                    *count += 1;
                }
            }
            Err(n) => self.buckets.insert(n, (bucket, 1)),
        }
        self.least_us = if self.count == 0 { micros } else { self.least_us.min(micros) };
        self.most_us = self.most_us.max(micros);
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(micros);
    }

    pub fn average_us(&self) -> Option<u64> {
        self.sum_us.checked_div(self.count)
    }

    /// The value that so many per cent do not exceed, by nearest rank; none where nothing was measured.
    pub fn percentile_us(&self, percent: u64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100).max(1);
        if rank >= u128::from(self.count) {
            return Some(self.most_us);
        }
        let mut seen = 0u128;
        let found = self.buckets.iter().find(|(_, count)| {
            seen += u128::from(*count);
            seen >= rank
        });
        let middle = found.map_or(self.most_us, |(bucket, _)| middle_of(*bucket));
        Some(middle.clamp(self.least_us, self.most_us))
    }
}

/// Small values have a bucket each; from there on each doubling has [`PARTS`].
fn bucket_of(micros: u64) -> u16 {
    if micros < u64::from(PARTS) {
        return micros as u16;
    }
    let doubling = micros.ilog2() - SHIFT;
    let part = (micros >> doubling) as u32 - PARTS;
    ((doubling + 1) * PARTS + part) as u16
}

fn middle_of(bucket: u16) -> u64 {
    let bucket = u32::from(bucket);
    if bucket < PARTS {
        return u64::from(bucket);
    }
    let (doubling, part) = (bucket / PARTS - 1, bucket % PARTS);
    let least = u64::from(PARTS + part) << doubling;
    least + ((1u64 << doubling) - 1) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_values_are_told_to_within_two_per_cent_and_the_ends_exactly() {
        let mut h = Histogram::default();
        assert_eq!((h.percentile_us(50), h.average_us()), (None, None));
        (1..=100).rev().for_each(|n| h.add(n * 1_000));
        let near = |got: Option<u64>, want: u64| {
            let got = got.unwrap();
            assert!(got.abs_diff(want) * 50 <= want, "{got} for {want}");
        };
        for percent in [50, 90, 95, 99] {
            near(h.percentile_us(percent), percent * 1_000);
        }
        assert_eq!((h.percentile_us(100), h.percentile_us(0)), (Some(100_000), Some(1_000)));
        assert_eq!((h.count, h.average_us()), (100, Some(50_500)));
        let mut one = Histogram::default();
        one.add(84_321);
        assert_eq!(one.percentile_us(99), Some(84_321), "a single one is told as it was");
    }

    proptest! {
        #[test]
        fn every_value_lies_near_the_middle_of_its_bucket_and_buckets_are_bounded(micros in any::<u64>()) {
            let bucket = bucket_of(micros);
            prop_assert!(bucket < 2_000);
            let off = middle_of(bucket).abs_diff(micros);
            prop_assert!(u128::from(off) * 60 <= u128::from(micros), "{} off {}", off, micros);
        }

        #[test]
        fn percentiles_never_fall_as_they_rise(values in prop::collection::vec(any::<u64>(), 1..60)) {
            let mut h = Histogram::default();
            values.iter().for_each(|v| h.add(*v));
            let all: Vec<_> = [0, 1, 50, 90, 95, 99, 100].map(|p| h.percentile_us(p).unwrap()).to_vec();
            prop_assert!(all.windows(2).all(|w| w[0] <= w[1]), "{all:?}");
        }
    }
}
