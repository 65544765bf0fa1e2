//! The lab's own random numbers: one seed, four independent streams.
//! Knows nothing of what they are used for, and never asks the machine for entropy.
//!
//! Written out here because a library's generator may change between versions, and every old seed
//! would then tell another history.

use serde::{Deserialize, Serialize};

/// xoshiro256++ with a splitmix64 seeding.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stream([u64; 4]);

const fn splitmix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Stream {
    /// The stream called `name` of `seed`; streams of different names do not shift each other.
    #[must_use]
    pub fn new(seed: u64, name: u64) -> Self {
        let mut state = [0; 4];
        let mut z = splitmix(seed ^ splitmix(name));
        for slot in &mut state {
            z = splitmix(z);
            *slot = z;
        }
        Self(state)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        let s = &mut self.0;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }

    /// A number in `0..bound`; 0 when the bound is 0. The bias is below 2^-32 for the bounds used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64 }
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len + 8);
        while out.len() < len {
            out.extend_from_slice(&self.draw().to_le_bytes());
        }
        out.truncate(len);
        out
    }
}

/// The streams of one history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Streams {
    /// Jitter of durations.
    pub durations: Stream,
    /// Which faults fire.
    pub faults: Stream,
    /// Placement of pods and other choices of the simulated software.
    pub workload: Stream,
    /// Ids: boot ids, member ids, actors, UIDs.
    pub ids: Stream,
}

impl Streams {
    /// All streams of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            durations: Stream::new(seed, 1),
            faults: Stream::new(seed, 2),
            workload: Stream::new(seed, 3),
            ids: Stream::new(seed, 4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stream;

    #[test]
    fn equal_seeds_give_equal_streams_and_other_names_other_streams() {
        let draw = |seed, name| {
            (0..8)
                .map({
                    let mut stream = Stream::new(seed, name);
                    move |_| stream.draw()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn below_stays_below_its_bound() {
        let mut stream = Stream::new(1, 1);
        for bound in 1..200 {
            assert!(stream.below(bound) < bound);
        }
        assert_eq!(stream.below(0), 0);
    }

    /// Pins the generator: an edit here voids every stored seed, so it must be a new model version.
    #[test]
    fn the_generator_is_the_one_of_this_model_version() {
        let mut stream = Stream::new(42, 1);
        let first: Vec<u64> = (0..3).map(|_| stream.draw()).collect();
        let mut again = Stream::new(42, 1);
        assert_eq!(first, (0..3).map(|_| again.draw()).collect::<Vec<_>>());
        assert_eq!(super::splitmix(0), 0xe220_a839_7b1d_cdaf);
    }
}
