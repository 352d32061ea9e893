//! The period in which a date is on sale.

use crate::Timestamp;

/// From `opens` (included) until `closes` (not included).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SaleWindow {
    opens: Timestamp,
    closes: Timestamp,
}

/// The window closes before it opens.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a sale must close after it opens")]
pub struct InvalidWindow;

impl SaleWindow {
    /// A window.
    ///
    /// # Errors
    /// [`InvalidWindow`] unless it closes after it opens.
    pub fn new(opens: Timestamp, closes: Timestamp) -> Result<Self, InvalidWindow> {
        if opens < closes { Ok(Self { opens, closes }) } else { Err(InvalidWindow) }
    }

    /// When the sale opens.
    #[must_use]
    pub fn opens(self) -> Timestamp {
        self.opens
    }

    /// When the sale closes.
    #[must_use]
    pub fn closes(self) -> Timestamp {
        self.closes
    }

    /// Whether the sale runs at `now`.
    #[must_use]
    pub fn is_open_at(self, now: Timestamp) -> bool {
        self.opens <= now && now < self.closes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sale_runs_from_its_opening_until_just_before_its_close() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let window = SaleWindow::new(at(10), at(20)).unwrap();
        let open: Vec<i64> = (8..23).filter(|s| window.is_open_at(at(*s))).collect();
        assert_eq!(open, (10..20).collect::<Vec<_>>());
        assert_eq!(SaleWindow::new(at(10), at(10)), Err(InvalidWindow));
    }
}
