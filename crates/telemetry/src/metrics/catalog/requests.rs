//! Requests of the public listener.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// The buckets that the semantic conventions recommend for this metric.
const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Time from a request's head to its answer's head; `http.route` is the template, never the path;
/// `error.type` is the problem's code, and absent if there was none.
pub static DURATION: Metric = Metric {
    name: "http.server.request.duration",
    kind: Kind::Histogram(SECONDS),
    unit: "s",
    about: "Time from a request's head to its answer's head; `http.route` is the template, never \
            the path; `error.type` is the problem's code, and absent if there was none.",
    labels: &[
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "error.type",
        "url.scheme",
    ],
};

pub(super) const FAMILY: Family = Family { title: "Requests", metrics: &[&DURATION] };
