//! People are called no faster than allowed.

use crate::AuditSettings;
use crate::serving_bounds::{Bounds, LowerBound, UpperBound, millis};
use crate::verdict::Property;

pub(super) const NAME: &str = "rate of calling";

/// One answer shows that `serving` was `most` or lower at one moment, another that it was `mark` or
/// higher at a later one. In the time between, the people with numbers above `most` up to `mark`
/// were called, except those who may have left before. The limit is one saved batch plus one batch
/// an interval, because the budget refills evenly.
///
/// With `people(x)` for the people up to number `x`, and `t` for the moments, the rule is
/// `people(mark) - people(most) <= batch + batch x (t2 - t1) / every`. Each side depends on one of
/// the two answers alone. So for each second answer the first one with the largest `batch x t1 -
/// every x people(most)` decides, and no pairs need to be tried. A store may round a moment by a
/// millisecond.
pub(super) fn check(bounds: &Bounds<'_>, settings: &AuditSettings) -> Property {
    let property = Property::new(NAME, "answers that show more people called");
    let Some(batch) = settings.batch else { return property.not_asked() };
    let bucket = Bucket { batch: i128::from(batch), every: i128::from(millis(settings.every)) };
    bucket.check(bounds, property)
}

/// The budget, in whole numbers: people times milliseconds.
struct Bucket {
    batch: i128,
    every: i128,
}

impl Bucket {
    fn check(&self, bounds: &Bounds<'_>, mut property: Property) -> Property {
        let mut reached: Vec<&LowerBound<'_>> =
            bounds.reached.iter().chain(&bounds.reached_by_entry).collect();
        reached.sort_by_key(|fact| fact.by);
        let mut starts = bounds.not_passed.iter().peekable();
        let mut latest: Option<(i128, &UpperBound<'_>)> = None;
        for end in reached {
            property.case();
            while let Some(start) = starts.next_if(|start| start.at <= end.by) {
                let offset =
                    self.batch * i128::from(start.at) - self.every * people(bounds, start.most);
                if latest.is_none_or(|(highest, _)| offset > highest) {
                    latest = Some((offset, start));
                }
            }
            let Some((offset, start)) = latest else { continue };
            let reached_by =
                self.batch * (i128::from(end.by) + 1) - self.every * people(bounds, end.mark);
            if offset - reached_by > self.batch * self.every {
                let called = people(bounds, end.mark) - people(bounds, start.most);
                let why = format!("{called} called within {} ms", end.by.saturating_sub(start.at));
                property.violated(bounds.history, &why, &[start.shown_by, end.shown_by]);
            }
        }
        property
    }
}

fn people(bounds: &Bounds<'_>, number: u64) -> i128 {
    i128::from(number) - i128::from(bounds.departed_up_to(number))
}
