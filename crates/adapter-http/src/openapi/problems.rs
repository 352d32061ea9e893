//! The responses to problems: for each route the codes it can answer with, by status, each with an
//! example in both languages.

use std::collections::BTreeMap;

use actix_web::http::header::HeaderValue;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr};

use super::headers;
use crate::language::Language;
use crate::problem::reference::rows;
use crate::problem::{ProblemBody, codes_of};
use crate::route::Route;

const MEDIA_TYPE: &str = "application/problem+json";

const LANGUAGES: [Language; 2] = [Language::Korean, Language::English];

/// What the responses of one status have in common.
#[derive(Default)]
struct OneStatus {
    codes: Vec<&'static str>,
    about: Vec<String>,
    retry_after: bool,
}

/// The responses of a public route, or with `None` of a route of the operations listener, by
/// status, as references to [`components`]. Those to HEAD have no body.
pub(super) fn responses(route: Option<Route>, is_head: bool) -> BTreeMap<u16, Ref> {
    let named = |shared: &OneStatus| Ref::from_response_name(shared.name(is_head));
    statuses(route).iter().map(|(status, shared)| (*status, named(shared))).collect()
}

/// All responses to problems, by name.
pub(super) fn components() -> BTreeMap<String, Response> {
    let routes = Route::ALL.into_iter().map(Some).chain([None]);
    let of_all = routes.flat_map(statuses).flat_map(|(status, shared)| {
        [false, true].map(|is_head| (shared.name(is_head), shared.response(status, is_head)))
    });
    of_all.collect()
}

/// The response of a route to the problems of this status.
pub(super) fn response(route: Option<Route>, status: u16, is_head: bool) -> Option<Response> {
    Some(statuses(route).get(&status)?.response(status, is_head))
}

fn statuses(route: Option<Route>) -> BTreeMap<u16, OneStatus> {
    let mut statuses = BTreeMap::<u16, OneStatus>::new();
    for (problem, when) in rows() {
        let answer = problem.answer();
        if codes_of(route).all(|code| code != answer.code) {
            continue;
        }
        let status = statuses.entry(answer.status.as_u16()).or_default();
        status.codes.push(answer.code);
        status.about.push(format!("`{}`: {when}.", answer.code));
        status.retry_after |= answer.retry_after.is_some();
    }
    statuses
}

impl OneStatus {
    /// Responses of the same codes are the same.
    fn name(&self, is_head: bool) -> String {
        let codes = self.codes.join("-");
        if is_head { format!("{codes}.head") } else { codes }
    }

    fn response(&self, status: u16, is_head: bool) -> Response {
        let usual = [headers::CACHE_CONTROL, headers::CONTENT_LANGUAGE, headers::X_REQUEST_ID];
        let retry_after = self.retry_after.then_some(&headers::RETRY_AFTER);
        let allow = (status == 405).then_some(&headers::ALLOW);
        let response = headers::with(
            ResponseBuilder::new().description(self.about.join("\n\n")),
            usual.iter().chain(retry_after).chain(allow),
        );
        if is_head {
            return response.build();
        }
        let codes = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(self.codes.iter().copied()));
        let schema = AllOfBuilder::new()
            .item(Ref::from_schema_name("Problem"))
            .item(ObjectBuilder::new().property("code", codes));
        let examples =
            self.codes.iter().flat_map(|code| LANGUAGES.map(|language| name(code, language)));
        let content =
            ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples.map(|name| {
                let reference = Ref::new(format!("#/components/examples/{name}"));
                (name, RefOr::<Example>::Ref(reference))
            }));
        response.content(MEDIA_TYPE, content).build()
    }
}

/// The example of every problem in both languages, by name.
pub(super) fn examples() -> Vec<(String, Example)> {
    let request_id = HeaderValue::from_static("019a4c1e-7b52-7c3d-9e1f-2a6b8c0d4e5f");
    let in_all_languages = rows().into_iter().flat_map(|(problem, _)| {
        let answer = problem.answer();
        LANGUAGES.map(|language| {
            let body = ProblemBody::of(&problem, &answer, language, Some(&request_id));
            let value = serde_json::to_value(body).ok();
            (name(answer.code, language), ExampleBuilder::new().value(value).build())
        })
    });
    in_all_languages.collect()
}

fn name(code: &str, language: Language) -> String {
    format!("{code}.{}", language.tag())
}
