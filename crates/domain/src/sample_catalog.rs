//! The sample catalog: a pure function of a size and a day, the same on every machine and in every
//! store.

use std::num::NonZeroU32;

use jiff::SignedDuration;

use crate::Timestamp;
use crate::concert::{Concert, ConcertId};
use crate::schedule::{SaleWindow, ScheduleId};

/// The concert that the load scripts request: three dates, all on sale, all with seats.
pub const SHOWCASE: u64 = 451;

/// Seats per concert by default: 10,000 concerts have a million.
const SEATS_PER_CONCERT: u64 = 100;

/// The most dates of a concert.
const MAX_DATES: u64 = 3;

/// The range of date ids reserved for each concert.
const IDS_PER_CONCERT: u64 = 10;

/// The size of a sample.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SampleSize {
    concerts: u32,
    seats: u64,
}

/// The size is invalid.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidSampleSize {
    /// Too many concerts.
    #[error("a sample has at most {} concerts", SampleSize::MAX_CONCERTS)]
    Concerts,
    /// Too few or too many seats for the concerts.
    #[error(
        "a sample has {MAX_DATES} to {} seats for each concert",
        SampleSize::MAX_SEATS_PER_CONCERT
    )]
    Seats,
}

impl SampleSize {
    /// Concerts in the largest sample.
    pub const MAX_CONCERTS: u32 = 1_000_000;
    /// Seats of a concert in the largest sample.
    pub const MAX_SEATS_PER_CONCERT: u64 = 100_000;

    /// A sample with `concerts` concerts and, over all their dates, `seats` seats.
    ///
    /// # Errors
    /// [`InvalidSampleSize`] if a date would have no seat, or if a limit is exceeded.
    pub fn new(concerts: u32, seats: u64) -> Result<Self, InvalidSampleSize> {
        if concerts > Self::MAX_CONCERTS {
            return Err(InvalidSampleSize::Concerts);
        }
        let (fewest, max) = (MAX_DATES, Self::MAX_SEATS_PER_CONCERT);
        let allowed = fewest * u64::from(concerts)..=max * u64::from(concerts);
        if allowed.contains(&seats) {
            Ok(Self { concerts, seats })
        } else {
            Err(InvalidSampleSize::Seats)
        }
    }

    /// A sample of `concerts` concerts, at most [`Self::MAX_CONCERTS`], with a hundred seats each.
    #[must_use]
    pub fn of_concerts(concerts: u32) -> Self {
        let concerts = concerts.min(Self::MAX_CONCERTS);
        Self { concerts, seats: u64::from(concerts) * SEATS_PER_CONCERT }
    }

    /// The number of concerts.
    #[must_use]
    pub fn concerts(self) -> u32 {
        self.concerts
    }

    /// The number of seats.
    #[must_use]
    pub fn seats(self) -> u64 {
        self.seats
    }

    /// An equal share for every concert; the remainder goes to the first ones.
    fn seats_of(self, concert: ConcertId) -> u64 {
        share(self.seats, u64::from(self.concerts), concert.get())
    }
}

/// The `n`th of `parts` equal shares of `whole`; the first shares take the remainder.
fn share(whole: u64, parts: u64, n: u64) -> u64 {
    whole / parts + u64::from(n <= whole % parts)
}

/// One date of a sample concert.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SampleDate {
    /// Its id: the concert's id times ten, plus 1, 2 or 3.
    pub id: ScheduleId,
    /// When the concert takes place.
    pub performance: Timestamp,
    /// When it is on sale.
    pub sale: SaleWindow,
    /// The number of seats.
    pub seats: NonZeroU32,
    /// Sold seats, the first ones by number; at most `seats`.
    pub sold: u32,
}

/// A sample concert and its dates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SampleConcert {
    /// The concert.
    pub concert: Concert,
    /// One to three dates.
    pub dates: Vec<SampleDate>,
}

/// The sample of a size on a day: sale windows are relative to the midnight (UTC) before `today`. A
/// larger sample with as many seats for each concert begins with the smaller one.
pub fn concerts(size: SampleSize, today: Timestamp) -> impl Iterator<Item = SampleConcert> {
    let midnight = midnight_before(today);
    let concert = move |id| {
        let id = ConcertId::new(id).ok()?;
        Some(sample_concert(id, size.seats_of(id), midnight))
    };
    (1..=u64::from(size.concerts)).filter_map(concert)
}

fn midnight_before(today: Timestamp) -> Timestamp {
    let day = 86_400;
    Timestamp::from_second(today.as_second().div_euclid(day) * day).unwrap_or(today)
}

fn sample_concert(id: ConcertId, seats: u64, midnight: Timestamp) -> SampleConcert {
    let dates = if id.get() == SHOWCASE { MAX_DATES } else { 1 + mix(id.get(), 0) % MAX_DATES };
    let date = |n| sample_date(id, n, share(seats, dates, n), midnight);
    SampleConcert {
        concert: Concert {
            id,
            title: title(id),
            place: pick(&PLACES, mix(id.get(), 1)).to_owned(),
        },
        dates: (1..=dates).filter_map(date).collect(),
    }
}

/// `None` never occurs for the days and numbers above; it avoids a panic.
fn sample_date(concert: ConcertId, n: u64, seats: u64, midnight: Timestamp) -> Option<SampleDate> {
    let id = concert.get() * IDS_PER_CONCERT + n;
    let kind = if concert.get() == SHOWCASE { SaleKind::Running } else { SaleKind::of(mix(id, 2)) };
    let (opens, closes) = kind.days();
    let day = |days: i64| midnight.checked_add(SignedDuration::from_hours(24 * days)).ok();
    let evening = SignedDuration::from_hours(11);
    let seats = NonZeroU32::new(u32::try_from(seats).ok()?)?;
    Some(SampleDate {
        id: ScheduleId::new(id).ok()?,
        // 11:00 UTC is 20:00 in Seoul.
        performance: day(closes + 1 + i64::try_from(n).ok()?)?.checked_add(evening).ok()?,
        sale: SaleWindow::new(day(opens)?, day(closes)?).ok()?,
        seats,
        sold: kind.sold(mix(id, 3), seats),
    })
}

/// The state of a date's sale today.
#[derive(Clone, Copy)]
enum SaleKind {
    Running,
    SoldOut,
    Upcoming,
    Over,
}

impl SaleKind {
    fn of(random: u64) -> Self {
        match random % 10 {
            0 => Self::SoldOut,
            1 => Self::Upcoming,
            2 => Self::Over,
            _ => Self::Running,
        }
    }

    /// Days from today to the opening and to the close of the sale.
    fn days(self) -> (i64, i64) {
        match self {
            Self::Running | Self::SoldOut => (-14, 30),
            Self::Upcoming => (7, 45),
            Self::Over => (-60, -1),
        }
    }

    fn sold(self, random: u64, seats: NonZeroU32) -> u32 {
        match self {
            Self::SoldOut => seats.get(),
            Self::Upcoming => 0,
            // At least one seat is left.
            Self::Running | Self::Over => {
                u32::try_from(random % u64::from(seats.get())).unwrap_or(0)
            }
        }
    }
}

const ARTISTS: [&str; 12] = [
    "푸른 밤 오케스트라",
    "서울 재즈 쿼텟",
    "한강 밴드",
    "달빛 트리오",
    "새벽 합창단",
    "은하수 프로젝트",
    "The Night Ferry",
    "Paper Lanterns",
    "바람의 현악사중주",
    "북촌 앙상블",
    "Seven Bridges",
    "여름 소리",
];

const PROGRAMS: [&str; 8] = [
    "단독 콘서트",
    "송년 음악회",
    "월드 투어",
    "어쿠스틱의 밤",
    "앙코르 공연",
    "십 주년 기념 공연",
    "Live in Seoul",
    "봄의 제전",
];

const PLACES: [&str; 10] = [
    "서울 올림픽홀",
    "부산 바다 극장",
    "대구 음악당",
    "인천 항구 공연장",
    "광주 빛고을 홀",
    "대전 과학 아레나",
    "울산 강변 무대",
    "수원 성곽 극장",
    "제주 돌담 홀",
    "강릉 솔숲 음악당",
];

fn title(id: ConcertId) -> String {
    let artist = pick(&ARTISTS, mix(id.get(), 4));
    let program = pick(&PROGRAMS, mix(id.get(), 5));
    format!("{artist} {program} #{id}")
}

fn pick<'a>(from: &[&'a str], random: u64) -> &'a str {
    let index = usize::try_from(random % from.len() as u64).unwrap_or(0);
    from[index]
}

/// An even, fixed scatter of integers: the finalizer of SplitMix64 (Steele, Lea, Flood 2014),
/// salted.
fn mix(value: u64, salt: u64) -> u64 {
    let mut z = value
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(salt.wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-05-04T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_showcase_concert_has_three_dates_on_sale_with_seats() {
        let showcase = concerts(SampleSize::of_concerts(10_000), noon()).nth(450).unwrap();
        assert_eq!(showcase.concert.id.get(), SHOWCASE);
        assert_eq!(showcase.dates.len(), 3);
        assert!(showcase.dates.iter().all(|d| d.sale.is_open_at(noon()) && d.sold < d.seats.get()));
    }

    #[test]
    fn ten_thousand_concerts_have_a_million_seats_and_every_kind_of_date() {
        let dates: Vec<_> =
            concerts(SampleSize::of_concerts(10_000), noon()).flat_map(|c| c.dates).collect();
        assert_eq!(dates.iter().map(|d| d.seats.get()).sum::<u32>(), 1_000_000);
        assert!(dates.iter().any(|d| d.sold == d.seats.get()));
        assert!(dates.iter().any(|d| d.sale.opens() > noon()));
        assert!(dates.iter().any(|d| d.sale.closes() < noon()));
        let mut ids: Vec<_> = dates.iter().map(|d| d.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), dates.len(), "every date has its own id");
    }

    #[test]
    fn the_sample_is_the_same_all_day_and_a_longer_one_begins_with_the_shorter() {
        let sample =
            |count, at: &str| concerts(SampleSize::of_concerts(count), at.parse().unwrap());
        let morning: Vec<_> = sample(50, "2026-05-04T00:00:00Z").collect();
        let night: Vec<_> = sample(80, "2026-05-04T23:59:59Z").take(50).collect();
        assert_eq!(morning, night);
    }

    #[test]
    fn a_sample_has_the_requested_seats_and_no_date_without_one() {
        for (count, seats) in [(0, 0), (1, 3), (7, 22), (7, 1_000), (500, 500 * 100_000)] {
            let size = SampleSize::new(count, seats).unwrap();
            let dates: Vec<_> = concerts(size, noon()).flat_map(|c| c.dates).collect();
            assert_eq!(dates.iter().map(|d| u64::from(d.seats.get())).sum::<u64>(), seats);
        }
        assert_eq!(SampleSize::new(7, 20), Err(InvalidSampleSize::Seats));
        assert_eq!(SampleSize::new(7, 700_001), Err(InvalidSampleSize::Seats));
        assert_eq!(SampleSize::new(1_000_001, 3_000_003), Err(InvalidSampleSize::Concerts));
    }
}
