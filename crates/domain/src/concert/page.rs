//! Page numbers and page sizes, valid by construction.

use std::num::NonZeroU32;

use super::Concert;

/// A page number, from 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PageNumber(NonZeroU32);

/// The number of concerts on a page, from 1 to [`PageSize::MAX`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PageSize(NonZeroU32);

/// The input is not a page number, or not a page size.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidPage {
    /// Not a page number.
    #[error("a page is a whole number from 1 to {}, in decimal digits", u32::MAX)]
    Number,
    /// Not a page size.
    #[error("a page holds 1 to {} concerts", PageSize::MAX)]
    Size,
}

impl PageNumber {
    /// The first page.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// Checks an integer.
    ///
    /// # Errors
    /// [`InvalidPage::Number`] for 0.
    pub fn new(value: u32) -> Result<Self, InvalidPage> {
        NonZeroU32::new(value).map(Self).ok_or(InvalidPage::Number)
    }

    /// Parses a page number: decimal digits, without sign or leading zero.
    ///
    /// # Errors
    /// [`InvalidPage::Number`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidPage> {
        if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidPage::Number);
        }
        text.parse().map_err(|_| InvalidPage::Number).and_then(Self::new)
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl PageSize {
    /// The largest page: a response of about 100 kB.
    pub const MAX: u32 = 1_000;

    /// Checks an integer.
    ///
    /// # Errors
    /// [`InvalidPage::Size`] if it is out of bounds.
    pub fn new(value: u32) -> Result<Self, InvalidPage> {
        NonZeroU32::new(value).filter(|n| n.get() <= Self::MAX).map(Self).ok_or(InvalidPage::Size)
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

/// A page number and a page size.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PageRequest {
    /// The page.
    pub number: PageNumber,
    /// Concerts on a page.
    pub size: PageSize,
}

impl PageRequest {
    /// The number of concerts on the pages before this one.
    #[must_use]
    pub fn offset(self) -> u64 {
        u64::from(self.number.get() - 1) * u64::from(self.size.get())
    }
}

/// One page of concerts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConcertPage {
    /// The request.
    pub request: PageRequest,
    /// The concerts on it.
    pub concerts: Vec<Concert>,
    /// The total number of concerts.
    pub total: u64,
}

impl ConcertPage {
    /// The last page that has concerts; the first page if there are none.
    #[must_use]
    pub fn last_page(&self) -> PageNumber {
        let pages = self.total.div_ceil(u64::from(self.request.size.get())).max(1);
        NonZeroU32::new(u32::try_from(pages).unwrap_or(u32::MAX))
            .map_or(PageNumber::FIRST, PageNumber)
    }

    /// The previous page, if there is one with concerts on it.
    #[must_use]
    pub fn previous_page(&self) -> Option<PageNumber> {
        let before = NonZeroU32::new(self.request.number.get() - 1).map(PageNumber);
        before.map(|page| page.min(self.last_page()))
    }

    /// The next page, if there is one with concerts on it.
    #[must_use]
    pub fn next_page(&self) -> Option<PageNumber> {
        let after = self.request.number.0.checked_add(1).map(PageNumber);
        after.filter(|page| *page <= self.last_page())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u32, total: u64) -> ConcertPage {
        let request = PageRequest {
            number: PageNumber::new(number).unwrap(),
            size: PageSize::new(10).unwrap(),
        };
        ConcertPage { request, concerts: Vec::new(), total }
    }

    #[test]
    fn a_page_number_is_a_positive_integer_in_plain_digits() {
        assert_eq!(PageNumber::parse("1"), Ok(PageNumber::FIRST));
        for bad in [
            "",
            "0",
            "-1",
            "abc",
            "1.5",
            "+1",
            "01",
            "4294967296",
            "1000000000000000000000000000000",
        ] {
            assert_eq!(PageNumber::parse(bad), Err(InvalidPage::Number), "{bad:?}");
        }
    }

    #[test]
    fn neighbours_exist_only_where_there_are_concerts() {
        let numbers = |p: ConcertPage| {
            (p.previous_page().map(PageNumber::get), p.next_page().map(PageNumber::get))
        };
        assert_eq!(numbers(page(1, 25)), (None, Some(2)));
        assert_eq!(numbers(page(3, 25)), (Some(2), None));
        assert_eq!(numbers(page(99, 25)), (Some(3), None), "back to the last page");
        assert_eq!(numbers(page(1, 0)), (None, None));
        assert_eq!(page(1, 20).last_page().get(), 2);
        assert_eq!(page(1, 21).last_page().get(), 3);
    }

    #[test]
    fn the_offset_of_the_highest_page_does_not_overflow() {
        let request = PageRequest {
            number: PageNumber::new(u32::MAX).unwrap(),
            size: PageSize::new(1_000).unwrap(),
        };
        assert_eq!(request.offset(), u64::from(u32::MAX - 1) * 1_000);
    }
}
