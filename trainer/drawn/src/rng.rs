//! Random numbers that are the same on every machine and in every version.

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): one
/// word of state, integer operations only.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The generator of `seed` and `stream`; neighbors of either are unrelated.
    pub fn new(seed: u64, stream: u64) -> Rng {
        let mut rng = Rng { state: mix(seed) ^ mix(stream.wrapping_add(GOLDEN)).rotate_left(32) };
        rng.next();
        rng
    }

    /// The next 64 bits.
    #[expect(
        clippy::should_implement_trait,
        reason = "never ends, so an Option would only be in the way"
    )]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Uniform in 0 to `n` - 1; 0 if `n` is 0. Multiplies and takes the high half (Lemire 2019,
    /// "Fast random integer generation in an interval"), and draws again where that would be
    /// biased.
    pub fn below(&mut self, n: u64) -> u64 {
        let reject = n.wrapping_neg().checked_rem(n).unwrap_or(0);
        loop {
            let wide = u128::from(self.next()) * u128::from(n);
            if wide as u64 >= reject {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// Uniform from `low` to `high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with this probability.
    pub fn chance(&mut self, often: f32) -> bool {
        self.unit() < often
    }

    /// A uniform choice from an array, which must not be empty.
    pub fn pick<T: Copy, const N: usize>(&mut self, of: &[T; N]) -> T {
        of[self.below(N as u64) as usize]
    }

    /// A weighted choice; the last if all weights are 0.
    pub fn odds<T: Copy, const N: usize>(&mut self, of: &[(f32, T); N]) -> T {
        let all: f32 = of.iter().map(|(weight, _)| weight).sum();
        let mut at = self.unit() * all;
        for &(weight, value) in of {
            if at < weight {
                return value;
            }
            at -= weight;
        }
        of[N - 1].1
    }
}

/// 2^64 divided by the golden ratio, odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finalizer (Stafford's variant 13): every input bit flips half of the output bits.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // The reference implementation's first values from state 1234567.
        let mut rng = Rng { state: 1_234_567 };
        let got = [rng.next(), rng.next(), rng.next()];
        let want =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(got, want);
    }

    #[test]
    fn below_is_even() {
        let mut rng = Rng::new(1, 2);
        let mut counts = [0u32; 7];
        (0..70_000).for_each(|_| counts[rng.below(7) as usize] += 1);
        // Five standard deviations of a count of 10,000.
        assert!(counts.iter().all(|c| c.abs_diff(10_000) < 470), "{counts:?}");
        assert_eq!(rng.below(1), 0);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn streams_differ() {
        let first = |seed, stream| Rng::new(seed, stream).next();
        let all = [first(0, 0), first(0, 1), first(1, 0), first(1, 1), first(2, 0)];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
