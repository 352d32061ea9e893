//! The description of the API, and the page that shows it.

use std::borrow::Cow;
use std::io::Read as _;
use std::sync::Arc;

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderValue, VARY,
};
use actix_web::{HttpRequest, HttpResponse};
use flate2::read::GzDecoder;
use utoipa_swagger_ui::Config;

use crate::api::Api;
use crate::openapi;
use crate::problem::Problem;
use crate::route::{DOCS_FILES, DOCS_START};

/// They change only with the program.
const CACHING: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The page runs the scripts of this listener and sends requests to it, and nothing else. Swagger
/// UI sets styles in elements and shows images from its own style sheet.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// Its links are relative, so that it works behind a proxy that adds a prefix.
const PAGE: &str = include_str!("documentation/page.html");

const START: &str = include_str!("documentation/start.js");

/// `GET /openapi.json`
pub(crate) async fn description(api: &Api) -> Result<HttpResponse, Problem> {
    let _slot = api.overload.read().await?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, CACHING))
        .body(openapi::json()))
}

/// `GET /docs`
pub(crate) async fn page(api: &Api) -> Result<HttpResponse, Problem> {
    let _slot = api.overload.read().await?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, CACHING))
        .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .body(PAGE))
}

/// `GET /docs/{file}`
pub(crate) async fn file(
    api: &Api,
    request: &HttpRequest,
    name: &str,
) -> Result<HttpResponse, Problem> {
    let _slot = api.overload.read().await?;
    let known =
        DOCS_FILES.into_iter().find(|known| *known == name).ok_or(Problem::RouteNotFound)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, CACHING)).insert_header((VARY, "Accept-Encoding"));
    if known == DOCS_START {
        return Ok(response.content_type("text/javascript; charset=utf-8").body(START));
    }
    let file = utoipa_swagger_ui::serve(known, Arc::new(Config::from("openapi.json")))
        .ok()
        .flatten()
        .ok_or(Problem::Internal)?;
    response.content_type(file.content_type);
    if !file.gzpipped {
        return Ok(response.body(file.bytes.into_owned()));
    }
    if accepts_gzip(request) {
        response.insert_header((CONTENT_ENCODING, "gzip"));
        return Ok(match file.bytes {
            Cow::Borrowed(bytes) => response.body(bytes),
            Cow::Owned(bytes) => response.body(bytes),
        });
    }
    let mut plain = Vec::new();
    GzDecoder::new(&*file.bytes).read_to_end(&mut plain).map_err(|_| Problem::Internal)?;
    Ok(response.body(plain))
}

/// Whether the client names gzip among the codings it accepts. One that does not gets the file as
/// it is, which every client accepts.
fn accepts_gzip(request: &HttpRequest) -> bool {
    let fields = request.headers().get_all(ACCEPT_ENCODING);
    let mut codings =
        fields.filter_map(|field| field.to_str().ok()).flat_map(|text| text.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let is_refused = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            name.trim().eq_ignore_ascii_case("q") && value.trim().parse() == Ok(0.0)
        };
        is_gzip && !parts.any(is_refused)
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn gzip_is_sent_to_clients_that_name_it() {
        let accepts = |text| {
            let header = (ACCEPT_ENCODING, HeaderValue::from_static(text));
            accepts_gzip(&TestRequest::default().insert_header(header).to_http_request())
        };
        for yes in ["gzip", "deflate, gzip;q=0.5", "GZIP", "br,gzip"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "gzip; Q=0.0", "gzip;level=1;q=0", "x-gzip2"] {
            assert!(!accepts(no), "{no}");
        }
        assert!(!accepts_gzip(&TestRequest::default().to_http_request()));
    }
}
