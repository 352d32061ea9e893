//! The public routes, used for dispatch, metrics, logs and the description of the API.

use actix_web::http::Method;

/// A public route. Raw paths are never used as labels or logged: their number is unbounded and they
/// contain ids.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Route {
    /// Join the queue.
    Issue,
    /// Query the status of a place.
    Query,
    /// Leave the queue.
    Leave,
    /// The concert list.
    Concerts,
    /// The dates of a concert.
    Dates,
    /// The description of the API.
    Description,
    /// The page that shows the description.
    Docs,
    /// A file of that page.
    DocsFile,
}

/// The script that starts the page. The other files are those of Swagger UI.
pub(crate) const DOCS_START: &str = "start.js";

/// The files of [`Route::DocsFile`].
pub(crate) const DOCS_FILES: [&str; 3] = [DOCS_START, "swagger-ui-bundle.js", "swagger-ui.css"];

/// The methods of a route, and its `Allow` header.
pub(crate) struct Methods {
    pub(crate) answered: &'static [Method],
    pub(crate) allow: &'static str,
}

const READ: Methods = Methods { answered: &[Method::GET, Method::HEAD], allow: "GET, HEAD" };
const GET: Methods = Methods { answered: &[Method::GET], allow: "GET" };
const POST: Methods = Methods { answered: &[Method::POST], allow: "POST" };
const DELETE: Methods = Methods { answered: &[Method::DELETE], allow: "DELETE" };

impl Route {
    /// All routes, the most requested first.
    pub const ALL: [Self; 8] = [
        Self::Query,
        Self::Concerts,
        Self::Dates,
        Self::Issue,
        Self::Leave,
        Self::Description,
        Self::Docs,
        Self::DocsFile,
    ];

    /// The path, with placeholders for ids.
    #[must_use]
    pub const fn template(self) -> &'static str {
        match self {
            Self::Issue => "/api/v1/user/{userId}/queue/token/issue",
            Self::Query => "/api/v1/user/queue/token/query",
            Self::Leave => "/api/v1/user/queue/token",
            Self::Concerts => "/api/v1/concerts/query",
            Self::Dates => "/api/v1/concert/{concertId}/date",
            Self::Description => "/openapi.json",
            Self::Docs => "/docs",
            Self::DocsFile => "/docs/{file}",
        }
    }

    /// Whether it describes the API instead of being part of it.
    pub(crate) const fn is_documentation(self) -> bool {
        matches!(self, Self::Description | Self::Docs | Self::DocsFile)
    }

    /// The methods it answers.
    pub(crate) const fn methods(self) -> Methods {
        match self {
            Self::Issue => POST,
            Self::Leave => DELETE,
            Self::Dates => GET,
            Self::Query | Self::Concerts | Self::Description | Self::Docs | Self::DocsFile => READ,
        }
    }

    /// The route of a path as sent.
    pub(crate) fn of(path: &str) -> Option<Self> {
        Self::and_id_of(path).map(|(route, _)| route)
    }

    /// The route of a path as sent, and the id in it, which is empty if the route has none.
    ///
    /// No path with a percent sign has a route. If escapes were decoded, a proxy in front that
    /// matches the path as sent could apply the rule of another route.
    pub(crate) fn and_id_of(path: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|route| route.id_in(path).map(|id| (route, id)))
    }

    fn id_in(self, path: &str) -> Option<&str> {
        let (before, after) = self.around_id();
        let Some(after) = after else { return (path == before).then_some("") };
        let id = path.strip_prefix(before)?.strip_suffix(after)?;
        (!id.is_empty() && !id.contains(['/', '%'])).then_some(id)
    }

    /// The path before and after the id, or the whole path if it has no id.
    const fn around_id(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Issue => ("/api/v1/user/", Some("/queue/token/issue")),
            Self::Dates => ("/api/v1/concert/", Some("/date")),
            Self::DocsFile => ("/docs/", Some("")),
            Self::Query | Self::Leave | Self::Concerts | Self::Description | Self::Docs => {
                (self.template(), None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_a_route_by_its_template() {
        for (path, expected) in [
            ("/api/v1/user/queue/token/query", Some(Route::Query)),
            ("/api/v1/user/queue/token", Some(Route::Leave)),
            ("/api/v1/user/17/queue/token/issue", Some(Route::Issue)),
            ("/api/v1/user/a b/queue/token/issue", Some(Route::Issue)),
            ("/api/v1/user/a%20b/queue/token/issue", None),
            ("/api/v1/user/%37/queue/token/issue", None),
            ("/api/v1/concert/45%31/date", None),
            ("/api/v1/concert/451/dat%65", None),
            ("/api/v1/concerts/quer%79", None),
            ("/api/v1/user/queue/%74oken", None),
            ("/api/v1/user//queue/token/issue", None),
            ("/api/v1/user/1/2/queue/token/issue", None),
            ("/api/v1/concerts/query", Some(Route::Concerts)),
            ("/api/v1/concert/451/date", Some(Route::Dates)),
            ("/api/v1/concert/date", None),
            ("/api/v1/concert//date", None),
            ("/api/v1/concerts/query/", None),
            ("/concerts/query", None),
            ("/openapi.json", Some(Route::Description)),
            ("/docs", Some(Route::Docs)),
            ("/docs/swagger-ui.css", Some(Route::DocsFile)),
            ("/docs/", None),
            ("/docs/../openapi.json", None),
            ("/", None),
        ] {
            assert_eq!(Route::of(path), expected, "{path}");
        }
        for route in Route::ALL {
            assert_eq!(Route::of(&route.template().replace(['{', '}'], "")), Some(route));
        }
    }
}
