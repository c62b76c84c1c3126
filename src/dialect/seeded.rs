//! A small generator of numbers from a seed, so that a whole run can be repeated. Not for secrets.

/// SplitMix64. The seed comes from outside: a dialect has no source of chance of its own.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from zero to `most`, both included.
    pub fn up_to(&mut self, most: u64) -> u64 {
        let n = u128::from(self.number()) * (u128::from(most) + 1);
        (n >> 64) as u64
    }

    /// An id of the shape of a version 4 UUID.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.number().to_be_bytes());
        bytes[8..].copy_from_slice(&self.number().to_be_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        let run = |seed| {
            let mut s = Seeded::new(seed);
            (0..50).map(|_| s.uuid()).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_eq!(run(1).len(), 50);
        assert!(run(1).is_disjoint(&run(2)));
    }

    #[test]
    fn numbers_reach_both_ends_and_no_further() {
        let mut s = Seeded::new(7);
        let seen: std::collections::BTreeSet<_> = (0..1000).map(|_| s.up_to(3)).collect();
        assert_eq!(seen, [0, 1, 2, 3].into());
        assert_eq!(s.up_to(0), 0);
        s.up_to(u64::MAX);
    }
}
