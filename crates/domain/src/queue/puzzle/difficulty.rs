//! The difficulty of puzzles, which follows the rate of joins.

use std::time::Duration;

/// The difficulty of a puzzle: the leading zero bits of a successful attempt. One more bit doubles
/// the work.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Difficulty(u8);

/// The number of bits is not a difficulty.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a difficulty is 1 to {} bits", Difficulty::MAX)]
pub struct InvalidDifficulty;

impl Difficulty {
    /// The most bits, which take a fast processor minutes.
    pub const MAX: u8 = 20;

    /// A difficulty of this many bits.
    ///
    /// # Errors
    /// [`InvalidDifficulty`] unless it is 1 to [`MAX`](Self::MAX).
    pub fn new(bits: u8) -> Result<Self, InvalidDifficulty> {
        if (1..=Self::MAX).contains(&bits) { Ok(Self(bits)) } else { Err(InvalidDifficulty) }
    }

    /// The leading zero bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }
}

/// How the difficulty follows the rate of joins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DifficultyRule {
    is_always: bool,
    from_rate: u32,
    lowest: Difficulty,
    highest: Difficulty,
}

/// The values do not form a [`DifficultyRule`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the rate must not be 0, nor the highest difficulty below the lowest")]
pub struct InvalidDifficultyRule;

impl DifficultyRule {
    /// The difficulty is the lowest at `from_rate` joins a second, and rises by one bit with each
    /// doubling of the rate, up to the highest. Below `from_rate` no puzzle is required, or with
    /// `is_always` one of the lowest difficulty.
    ///
    /// # Errors
    /// [`InvalidDifficultyRule`] if the rate is 0 or the highest difficulty is below the lowest.
    pub fn new(
        is_always: bool,
        from_rate: u32,
        lowest: Difficulty,
        highest: Difficulty,
    ) -> Result<Self, InvalidDifficultyRule> {
        if from_rate == 0 || highest < lowest {
            return Err(InvalidDifficultyRule);
        }
        Ok(Self { is_always, from_rate, lowest, highest })
    }

    /// The lowest difficulty that any node under this rule requires.
    #[must_use]
    pub fn lowest(&self) -> Difficulty {
        self.lowest
    }

    /// The difficulty required while there are no joins.
    fn idle(&self) -> Option<Difficulty> {
        self.is_always.then_some(self.lowest)
    }

    /// The joins per second from which this difficulty is required.
    fn rate_of(&self, difficulty: Difficulty) -> f64 {
        let doublings = difficulty.0.saturating_sub(self.lowest.0);
        f64::from(self.from_rate) * f64::from(doublings).exp2()
    }

    /// The highest difficulty whose rate is reached.
    fn wanted(&self, rate: f64) -> Option<Difficulty> {
        let range = (self.lowest.0..=self.highest.0).rev().map(Difficulty);
        range
            .into_iter()
            .find(|difficulty| rate >= self.rate_of(*difficulty))
            .or_else(|| self.idle())
    }

    /// The difficulty one step lower, if there is one.
    fn below(&self, difficulty: Difficulty) -> Option<Difficulty> {
        if difficulty > self.lowest { Some(Difficulty(difficulty.0 - 1)) } else { self.idle() }
    }
}

/// Follows the rate of joins on one node. The difficulty rises at once, by any number of bits. It
/// falls by one bit at a time, once the rate has been well below that of the present difficulty. So
/// a rate near a limit, or one that comes in bursts, does not make it oscillate.
#[derive(Clone, Debug)]
pub struct DifficultyControl {
    rule: DifficultyRule,
    rate: f64,
    required: Option<Difficulty>,
    calm: Duration,
}

impl DifficultyControl {
    /// The time constant of the rate's moving average: a weight falls to about a third in this
    /// time.
    pub const MEMORY: Duration = Duration::from_secs(2);
    /// How long the rate must stay lower before the difficulty falls by one bit.
    pub const CALM: Duration = Duration::from_secs(5);
    /// A rate is well below that of a difficulty if it is below this share of it.
    const WELL_BELOW: f64 = 0.75;

    /// A node before its first join.
    #[must_use]
    pub fn new(rule: DifficultyRule) -> Self {
        Self { rule, rate: 0.0, required: rule.idle(), calm: Duration::ZERO }
    }

    /// Records the join attempts since the last call. Returns the difficulty to require from now
    /// on; `None` means no puzzle. If no time has passed, nothing is recorded.
    pub fn observe(&mut self, joins: u64, elapsed: Duration) -> Option<Difficulty> {
        if elapsed.is_zero() {
            return self.required;
        }
        let passed = elapsed.as_secs_f64();
        let weight = -(-passed / Self::MEMORY.as_secs_f64()).exp_m1();
        self.rate += weight * (joins as f64 / passed - self.rate);
        self.required = self.required.max(self.rule.wanted(self.rate));
        self.fall(elapsed);
        self.required
    }

    /// Lowers the difficulty by one bit for each completed calm period.
    fn fall(&mut self, elapsed: Duration) {
        self.calm = self.calm.saturating_add(elapsed);
        while let Some(required) = self.required {
            let is_calm = self.rate < Self::WELL_BELOW * self.rule.rate_of(required);
            if !is_calm {
                self.calm = Duration::ZERO;
            }
            if self.calm < Self::CALM || self.rule.below(required) == self.required {
                return;
            }
            self.required = self.rule.below(required);
            self.calm -= Self::CALM;
        }
    }

    /// The difficulty required now.
    #[must_use]
    pub fn required(&self) -> Option<Difficulty> {
        self.required
    }

    /// Join attempts per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TENTH: Duration = Duration::from_millis(100);

    fn bits(bits: u8) -> Difficulty {
        Difficulty::new(bits).unwrap()
    }

    fn rule(is_always: bool) -> DifficultyRule {
        DifficultyRule::new(is_always, 1_000, bits(10), bits(13)).unwrap()
    }

    /// Runs a constant rate of joins for a time; returns the difficulty after each tenth of a
    /// second.
    fn run(control: &mut DifficultyControl, per_second: u64, time: Duration) -> Vec<Option<u8>> {
        let steps = time.as_millis() / TENTH.as_millis();
        let one = |_| control.observe(per_second / 10, TENTH).map(Difficulty::bits);
        (0..steps).map(one).collect()
    }

    fn settled(control: &mut DifficultyControl, per_second: u64) -> Option<u8> {
        *run(control, per_second, Duration::from_secs(60)).last().unwrap()
    }

    #[test]
    fn a_difficulty_has_one_bit_to_twenty() {
        assert_eq!(Difficulty::new(0), Err(InvalidDifficulty));
        assert_eq!(Difficulty::new(21), Err(InvalidDifficulty));
        assert_eq!((bits(1).bits(), bits(20).bits()), (1, 20));
    }

    #[test]
    fn a_rule_has_a_rate_and_a_range() {
        let of =
            |rate, lowest, highest| DifficultyRule::new(false, rate, bits(lowest), bits(highest));
        assert_eq!(of(0, 10, 13), Err(InvalidDifficultyRule));
        assert_eq!(of(1, 10, 9), Err(InvalidDifficultyRule));
        assert_eq!(of(1, 10, 10).unwrap().lowest(), bits(10));
    }

    #[test]
    fn each_doubling_of_the_rate_is_one_bit_up_to_the_highest() {
        for (rate, automatic, always) in [
            (0, None, Some(10)),
            (990, None, Some(10)),
            (1_010, Some(10), Some(10)),
            (1_990, Some(10), Some(10)),
            (2_010, Some(11), Some(11)),
            (4_010, Some(12), Some(12)),
            (7_990, Some(12), Some(12)),
            (8_010, Some(13), Some(13)),
            (1_000_000, Some(13), Some(13)),
        ] {
            let of = |is_always| settled(&mut DifficultyControl::new(rule(is_always)), rate);
            assert_eq!((of(false), of(true)), (automatic, always), "{rate} a second");
        }
    }

    #[test]
    fn the_highest_difficulty_whose_rate_is_reached_counts() {
        let rule = rule(false);
        let wanted = |rate| rule.wanted(rate).map(Difficulty::bits);
        assert_eq!((wanted(999.9), wanted(1_000.0), wanted(2_000.0)), (None, Some(10), Some(11)));
        assert_eq!(
            (wanted(3_999.9), wanted(4_000.0), wanted(8_000.0)),
            (Some(11), Some(12), Some(13))
        );
    }

    #[test]
    fn a_flood_is_answered_within_two_tenths_of_a_second() {
        let mut control = DifficultyControl::new(rule(false));
        assert_eq!(control.required(), None);
        let seen = run(&mut control, 17_000, Duration::from_secs(2));
        assert!(seen[1] >= Some(10), "{seen:?}");
        assert_eq!(seen.last(), Some(&Some(13)));
        assert_eq!(control.required(), Some(bits(13)));
    }

    #[test]
    fn after_a_flood_it_falls_a_bit_at_a_time_and_only_when_it_has_been_calm() {
        let mut control = DifficultyControl::new(rule(false));
        settled(&mut control, 17_000);
        let seen = run(&mut control, 0, Duration::from_secs(40));
        let mut steps = seen.clone();
        steps.dedup();
        assert_eq!(steps, [Some(13), Some(12), Some(11), Some(10), None]);
        // The rate needs 2.1 s to fall well below 8,000; after that, one bit every five seconds.
        let lasted = |level| seen.iter().filter(|seen| **seen == level).count() as u64;
        assert!((66..=76).contains(&lasted(Some(13))), "{} tenths", lasted(Some(13)));
        assert_eq!([lasted(Some(12)), lasted(Some(11)), lasted(Some(10))], [50, 50, 50]);
    }

    #[test]
    fn a_rate_around_a_limit_or_in_bursts_does_not_make_it_flap() {
        let mut control = DifficultyControl::new(rule(false));
        settled(&mut control, 2_100);
        for _ in 0..100 {
            let low = run(&mut control, 1_700, Duration::from_secs(3));
            let high = run(&mut control, 2_300, Duration::from_secs(3));
            assert!(low.iter().chain(&high).all(|seen| *seen == Some(11)));
        }
        let mut control = DifficultyControl::new(rule(false));
        run(&mut control, 17_000, Duration::from_secs(2));
        for _ in 0..100 {
            let pause = run(&mut control, 0, Duration::from_secs(4));
            let burst = run(&mut control, 17_000, Duration::from_secs(2));
            assert!(
                pause.iter().chain(&burst).all(|seen| *seen == Some(13)),
                "{pause:?} {burst:?}"
            );
        }
    }

    #[test]
    fn it_settles_one_bit_lower_only_well_below_its_rate() {
        let mut control = DifficultyControl::new(rule(false));
        settled(&mut control, 2_100);
        assert_eq!(settled(&mut control, 1_520), Some(11));
        assert_eq!(settled(&mut control, 1_480), Some(10));
        assert_eq!(settled(&mut control, 760), Some(10));
        assert_eq!(settled(&mut control, 740), None);
    }

    #[test]
    fn a_long_silence_seen_at_once_falls_as_far_as_a_silence_seen_bit_by_bit() {
        for (silence, expected) in [(4, Some(13)), (9, Some(12)), (11, Some(11)), (600, None)] {
            let mut control = DifficultyControl::new(rule(false));
            settled(&mut control, 17_000);
            let seen = control.observe(0, Duration::from_secs(silence));
            assert_eq!(seen.map(Difficulty::bits), expected, "{silence} s");
        }
        let mut always = DifficultyControl::new(rule(true));
        settled(&mut always, 17_000);
        assert_eq!(always.observe(0, Duration::MAX), Some(bits(10)));
    }

    #[test]
    fn it_falls_after_exactly_the_calm_and_not_at_exactly_the_rate_it_must_be_below() {
        let after = |rate, calm| {
            let mut control = DifficultyControl {
                rate,
                required: Some(bits(11)),
                ..DifficultyControl::new(rule(false))
            };
            control.fall(calm);
            control.required.map(Difficulty::bits)
        };
        let almost = DifficultyControl::CALM - Duration::from_nanos(1);
        assert_eq!(
            (after(1_499.9, almost), after(1_499.9, DifficultyControl::CALM)),
            (Some(11), Some(10))
        );
        assert_eq!(after(1_500.0, DifficultyControl::CALM), Some(11));
    }

    #[test]
    fn no_elapsed_time_changes_nothing() {
        let mut control = DifficultyControl::new(rule(false));
        assert_eq!(control.observe(1_000_000, Duration::ZERO), None);
        assert!(control.rate().abs() < f64::EPSILON);
        control.observe(100, TENTH);
        // One tenth of a second has a weight of 4.9 %.
        assert!((control.rate() - 48.77).abs() < 0.1, "{}", control.rate());
    }

    proptest! {
        #[test]
        fn it_stays_in_its_range_and_falls_by_one_bit_in_any_five_seconds(
            is_always: bool,
            bursts in proptest::collection::vec((0_u64..40_000, 1_u64..80), 1..40),
        ) {
            let mut control = DifficultyControl::new(rule(is_always));
            let mut seen = Vec::new();
            for (rate, tenths) in bursts {
                seen.extend(run(&mut control, rate, TENTH * u32::try_from(tenths).unwrap()));
            }
            let falls: Vec<_> = seen.windows(2).enumerate().filter(|(_, w)| w[1] < w[0]).collect();
            for (_, w) in &falls {
                prop_assert_eq!(w[0].unwrap() - 1, w[1].unwrap_or(9));
            }
            prop_assert!(falls.windows(2).all(|f| f[1].0 - f[0].0 >= 50));
            let in_range = |seen: &Option<u8>| seen.map_or(!is_always, |bits| (10..=13).contains(&bits));
            prop_assert!(seen.iter().all(in_range));
        }
    }
}
