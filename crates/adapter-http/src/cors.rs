//! Cross-origin resource sharing: which pages of other sites may call the API from a browser.

use std::fmt;
use std::str::FromStr;

use actix_cors::Cors;
use actix_web::http::Uri;
use actix_web::http::header::{AGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, RETRY_AFTER, WARNING};

use crate::handlers::concert::X_TOTAL_COUNT;
use crate::handlers::queue::WAITING_TOKEN;
use crate::middleware::TRACEPARENT;
use crate::puzzle::JOIN_PUZZLE;
use crate::standard_headers::X_REQUEST_ID;

/// The origin of a page, as browsers send it: scheme, host, and a port that is not the default one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(String);

/// Why a text is no origin that a browser sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "an origin is http:// or https:// and a host in lower case, and a port if it is not the default \
    one, such as https://shop.example: no path, no wildcard"
)]
pub struct InvalidOrigin;

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let uri: Uri = text.parse().map_err(|_| InvalidOrigin)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(InvalidOrigin)?;
        let default_port = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            Some(_) | None => return Err(InvalidOrigin),
        };
        let scheme = uri.scheme_str().ok_or(InvalidOrigin)?;
        let port = uri.port_u16().filter(|port| *port != default_port);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        // A text of another form never equals what a browser sends.
        let sent = format!("{scheme}://{}{port}", host.to_ascii_lowercase());
        if sent == text && !host.contains('*') { Ok(Self(sent)) } else { Err(InvalidOrigin) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long a browser may remember a permission. Chromium keeps none for longer than two hours.
const PREFLIGHT_SECONDS: usize = 7_200;

/// Permits pages of these origins to send the requests of the API and to read its answers. Cookies
/// are not permitted, because the API has none: a token is a header.
pub(crate) fn permitting(origins: &[Origin]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "DELETE"])
        .allowed_headers([WAITING_TOKEN, JOIN_PUZZLE, TRACEPARENT, IF_NONE_MATCH, CONTENT_TYPE])
        .expose_headers([X_REQUEST_ID, X_TOTAL_COUNT, RETRY_AFTER, ETAG, AGE, WARNING, LINK])
        .max_age(PREFLIGHT_SECONDS);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(&origin.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in ["https://shop.example", "http://localhost:3000", "https://[2001:db8::1]:8443"]
        {
            assert_eq!(
                good.parse::<Origin>().map(|origin| origin.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in [
            "",
            "*",
            "null",
            "shop.example",
            "https://",
            "https://shop.example/",
            "https://shop.example/page",
            "https://shop.example?query",
            "https://Shop.example",
            "https://*.shop.example",
            "https://user@shop.example",
            "https://shop.example:443",
            "http://shop.example:80",
            "https://shop.example:99999",
            "ftp://shop.example",
            "https://shop.example, https://other.example",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(InvalidOrigin), "{bad}");
        }
    }
}
