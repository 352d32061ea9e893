//! Korean or English, by `Accept-Language`.

use actix_web::http::header::HeaderValue;

/// A language of messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Language {
    Korean,
    English,
}

impl Language {
    /// The preferred language of the two (RFC 9110 section 12.5.4); Korean if neither is requested.
    pub(crate) fn of(accept_language: Option<&HeaderValue>) -> Self {
        let Some(text) = accept_language.and_then(|value| value.to_str().ok()) else {
            return Self::Korean;
        };
        let (mut korean, mut english) = (None, None);
        for range in text.split(',') {
            let (tag, quality) = quality_of(range);
            let primary = tag.split('-').next().unwrap_or_default();
            if primary.eq_ignore_ascii_case("ko") {
                korean = korean.max(quality);
            } else if primary.eq_ignore_ascii_case("en") {
                english = english.max(quality);
            }
        }
        if english > korean && english > Some(0) { Self::English } else { Self::Korean }
    }

    /// The tag for `Content-Language`.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Korean => "ko",
            Self::English => "en",
        }
    }
}

/// A language range and its weight in thousandths; `None` if the weight is invalid.
fn quality_of(range: &str) -> (&str, Option<u32>) {
    let (tag, parameters) = range.split_once(';').unwrap_or((range, "q=1"));
    let weight = parameters.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok());
    let quality = weight.filter(|q| (0.0..=1.0).contains(q)).map(|q| (q * 1_000.0).round() as u32);
    (tag.trim(), quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_chosen_only_if_preferred() {
        let language = |text| Language::of(Some(&HeaderValue::from_static(text)));
        assert_eq!(Language::of(None), Language::Korean);
        for korean in [
            "",
            "*",
            "fr",
            "ko",
            "ko-KR,ko;q=0.9,en;q=0.8",
            "en;q=0",
            "en;q=x",
            "en;q=0.5, ko;q=0.6",
        ] {
            assert_eq!(language(korean), Language::Korean, "{korean:?}");
        }
        for english in ["en", "en-GB", "EN-us,fr;q=0.9", "fr, en;q=0.1", "ko;q=0.5,en;q=0.6"] {
            assert_eq!(language(english), Language::English, "{english:?}");
        }
    }
}
