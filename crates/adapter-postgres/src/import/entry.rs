//! What an import reads, and what is wrong with it.

use domain::Timestamp;
use domain::concert::Concert;
use domain::schedule::{SaleWindow, ScheduleId};

/// A concert, with one of its dates or without any.
#[derive(Clone, Debug)]
pub struct ImportEntry {
    /// Where it stands in the source.
    pub at: ImportPosition,
    /// The concert. It may be repeated for each date, always with the same title and place.
    pub concert: Concert,
    /// The date.
    pub date: Option<ImportDate>,
}

/// One date of a concert.
#[derive(Clone, Debug)]
pub struct ImportDate {
    /// Its id.
    pub id: ScheduleId,
    /// When the concert takes place.
    pub performance: Timestamp,
    /// When it is on sale.
    pub sale: SaleWindow,
    /// The number of seats, whatever their state.
    pub seats: u32,
}

/// Where an entry stands in the source.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct ImportPosition {
    /// The line, from 1.
    pub line: u64,
    /// The index among the dates of the concert that begins on this line.
    pub item: Option<u32>,
}

/// A reason to import nothing.
#[derive(Clone, Debug)]
pub struct ImportFault {
    /// Where.
    pub at: ImportPosition,
    /// The field at fault, if it is a single one.
    pub field: Option<String>,
    /// What is wrong, in one line.
    pub what: String,
}

/// The faults of a source.
#[derive(Clone, Debug, Default)]
pub struct ImportFaults {
    /// The first ones, by position.
    pub first: Vec<ImportFault>,
    /// How many there are.
    pub total: u64,
}

impl ImportFaults {
    /// The most faults that are kept.
    pub const SHOWN: usize = 20;

    pub(super) fn add(&mut self, fault: ImportFault) {
        self.total += 1;
        // They come in the order of the source.
        if self.first.len() < Self::SHOWN {
            self.first.push(fault);
        }
    }

    pub(super) fn and(mut self, others: Self) -> Self {
        self.total += others.total;
        self.first.extend(others.first);
        self.first.sort_by_key(|fault| fault.at);
        self.first.truncate(Self::SHOWN);
        self
    }
}
