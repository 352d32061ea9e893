//! `If-None-Match` (RFC 9110 section 13.1.2).

use actix_web::http::header::HeaderValue;

/// Whether one of the fields names this entity tag, by weak comparison.
pub(crate) fn names<'a>(fields: impl Iterator<Item = &'a HeaderValue>, etag: &HeaderValue) -> bool {
    let ours = etag.as_bytes();
    let mut tags =
        fields.filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(','));
    tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == ours
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_alone_in_a_list_weak_or_as_a_star() {
        let etag = HeaderValue::from_static("\"abc\"");
        let found = |text| names([&HeaderValue::from_static(text)].into_iter(), &etag);
        for yes in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(found(yes), "{yes}");
        }
        for no in ["", "abc", "\"abcd\"", "W/\"x\"", "\"x\",\"y\""] {
            assert!(!found(no), "{no}");
        }
        assert!(!names(std::iter::empty(), &etag));
    }
}
