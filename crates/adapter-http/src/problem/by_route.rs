//! Which problems each public route can answer with.

use crate::route::Route;

/// The codes of the problems that any route can answer with.
const ANY: &[&str] = &[
    "BODY_TIMED_OUT",
    "BODY_TOO_LARGE",
    "BODY_UNREADABLE",
    "HEADERS_TOO_LARGE",
    "INTERNAL",
    "METHOD_NOT_ALLOWED",
    "TIMED_OUT",
];

/// Limits of the public routes.
const LIMITS: &[&str] = &["OVERLOADED", "TOO_MANY_REQUESTS"];

/// Routes with an id or a name in the path: a percent sign in it makes another path.
const IN_PATH: &[&str] = &["ROUTE_NOT_FOUND"];

const TOKEN: &[&str] = &["TOKEN_INVALID", "TOKEN_MISSING", "TOKEN_REPEATED"];

const PUZZLES: &[&str] = &[
    "PUZZLE_EXPIRED",
    "PUZZLE_MALFORMED",
    "PUZZLE_NOT_OURS",
    "PUZZLE_OTHER_QUEUE",
    "PUZZLE_OTHER_USER",
    "PUZZLE_REQUIRED",
    "PUZZLE_TOO_EASY",
    "PUZZLE_UNSOLVED",
    "PUZZLE_WRONG_PARTS",
];

/// The codes of the problems that a public route, or with `None` a route of the operations
/// listener, can answer with. A debug build checks each answer against it, and so does every test.
pub(crate) fn codes_of(route: Option<Route>) -> impl Iterator<Item = &'static str> {
    let own: &[&[&str]] = match route {
        None => &[IN_PATH],
        Some(Route::Issue) => &[
            LIMITS,
            IN_PATH,
            PUZZLES,
            &["BAD_USER_ID", "LINE_FULL", "STORE_UNAVAILABLE", "TOKEN_INVALID", "TOKEN_REPEATED"],
        ],
        Some(Route::Query | Route::Leave) => &[LIMITS, TOKEN, &["PLACE_GONE", "STORE_UNAVAILABLE"]],
        Some(Route::Concerts) => &[LIMITS, &["BAD_PAGE", "STORE_UNAVAILABLE"]],
        Some(Route::Dates) => &[
            LIMITS,
            IN_PATH,
            TOKEN,
            &[
                "BAD_CONCERT_ID",
                "CONCERT_NOT_FOUND",
                "NOT_YOUR_TURN",
                "PLACE_GONE",
                "STORE_UNAVAILABLE",
            ],
        ],
        Some(Route::Description | Route::Docs | Route::DocsFile) => &[LIMITS, IN_PATH],
    };
    [ANY].iter().chain(own).flat_map(|codes| codes.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::problem::reference::rows;

    #[test]
    fn every_problem_is_one_of_a_route_and_every_code_one_of_a_problem() {
        let routes = Route::ALL.into_iter().map(Some).chain([None]);
        let listed: BTreeSet<_> = routes.flat_map(codes_of).collect();
        let problems: BTreeSet<_> =
            rows().iter().map(|(problem, _)| problem.answer().code).collect();
        assert_eq!(listed, problems);
    }
}
