//! The sample catalogue: a pure function of a size and a day, the same on every machine and in every store.

use std::num::NonZeroU32;

use jiff::SignedDuration;

use crate::Timestamp;
use crate::concert::{Concert, ConcertId};
use crate::schedule::{SaleWindow, ScheduleId};

/// The concert the load scripts ask for: three dates, all on sale, all with seats.
pub const SHOWCASE: u64 = 451;

/// Seats of a date; with two dates a concert on average, 10,000 concerts have a million seats.
pub const SEATS_PER_DATE: u32 = 50;

/// Room for the dates of one concert in the numbering of dates.
const IDS_PER_CONCERT: u64 = 10;

/// One date of a sample concert.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SampleDate {
    /// Its id: the concert's id times ten, plus 1, 2 or 3.
    pub id: ScheduleId,
    /// When the concert takes place.
    pub performance: Timestamp,
    /// When it is on sale.
    pub sale: SaleWindow,
    /// Seats in all.
    pub seats: NonZeroU32,
    /// Seats already sold, the first ones by number; at most `seats`.
    pub sold: u32,
}

/// A sample concert with its dates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SampleConcert {
    /// What the list shows.
    pub concert: Concert,
    /// One to three dates.
    pub dates: Vec<SampleDate>,
}

/// The first `count` sample concerts, as of a day: sale windows are relative to the midnight (UTC) before `today`.
/// A longer sample begins with the shorter one.
pub fn concerts(count: u32, today: Timestamp) -> impl Iterator<Item = SampleConcert> {
    let midnight = midnight_before(today);
    (1..=u64::from(count)).filter_map(move |id| Some(sample_concert(ConcertId::new(id).ok()?, midnight)))
}

fn midnight_before(today: Timestamp) -> Timestamp {
    let day = 86_400;
    Timestamp::from_second(today.as_second().div_euclid(day) * day).unwrap_or(today)
}

fn sample_concert(id: ConcertId, midnight: Timestamp) -> SampleConcert {
    let dates = if id.get() == SHOWCASE { 3 } else { 1 + mix(id.get(), 0) % 3 };
    SampleConcert {
        concert: Concert { id, title: title(id), place: pick(&PLACES, mix(id.get(), 1)).to_owned() },
        dates: (1..=dates).filter_map(|n| sample_date(id, n, midnight)).collect(),
    }
}

/// `None` never happens for the days and numbers above; it spares the caller a panic.
fn sample_date(concert: ConcertId, n: u64, midnight: Timestamp) -> Option<SampleDate> {
    let id = concert.get() * IDS_PER_CONCERT + n;
    let kind = if concert.get() == SHOWCASE { SaleKind::Running } else { SaleKind::of(mix(id, 2)) };
    let (opens, closes) = kind.days();
    let day = |days: i64| midnight.checked_add(SignedDuration::from_hours(24 * days)).ok();
    let evening = SignedDuration::from_hours(11);
    let seats = NonZeroU32::new(SEATS_PER_DATE)?;
    Some(SampleDate {
        id: ScheduleId::new(id).ok()?,
        // 11:00 UTC is 20:00 in Seoul.
        performance: day(closes + 1 + i64::try_from(n).ok()?)?.checked_add(evening).ok()?,
        sale: SaleWindow::new(day(opens)?, day(closes)?).ok()?,
        seats,
        sold: kind.sold(mix(id, 3)),
    })
}

/// What a date is like today.
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

    fn sold(self, random: u64) -> u32 {
        match self {
            Self::SoldOut => SEATS_PER_DATE,
            Self::Upcoming => 0,
            // At least one seat stays.
            Self::Running | Self::Over => u32::try_from(random % u64::from(SEATS_PER_DATE)).unwrap_or(0),
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

/// An even, fixed scatter of integers: the finaliser of SplitMix64 (Steele, Lea, Flood 2014), salted.
fn mix(value: u64, salt: u64) -> u64 {
    let mut z =
        value.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(salt.wrapping_mul(0xd1b5_4a32_d192_ed03));
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
        let showcase = concerts(10_000, noon()).nth(450).unwrap();
        assert_eq!(showcase.concert.id.get(), SHOWCASE);
        assert_eq!(showcase.dates.len(), 3);
        assert!(showcase.dates.iter().all(|d| d.sale.is_open_at(noon()) && d.sold < d.seats.get()));
    }

    #[test]
    fn ten_thousand_concerts_have_about_a_million_seats_and_every_kind_of_date() {
        let dates: Vec<_> = concerts(10_000, noon()).flat_map(|c| c.dates).collect();
        let seats: u32 = dates.iter().map(|d| d.seats.get()).sum();
        assert!((990_000..1_010_000).contains(&seats), "{seats}");
        assert!(dates.iter().any(|d| d.sold == d.seats.get()));
        assert!(dates.iter().any(|d| d.sale.opens() > noon()));
        assert!(dates.iter().any(|d| d.sale.closes() < noon()));
        let mut ids: Vec<_> = dates.iter().map(|d| d.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), dates.len(), "every date has its own id");
    }

    #[test]
    fn the_sample_is_the_same_all_day_and_a_longer_one_begins_with_the_shorter() {
        let morning: Vec<_> = concerts(50, "2026-05-04T00:00:00Z".parse().unwrap()).collect();
        let night: Vec<_> = concerts(80, "2026-05-04T23:59:59Z".parse().unwrap()).take(50).collect();
        assert_eq!(morning, night);
    }
}
