//! The baseline: a constant response without middleware. Every speed in this project is a ratio to
//! it.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};

/// 150 bytes, about the size of a status response.
const BODY: &str = "{\"constant\":\"this answer is always the same: nothing is read, computed or looked up for it; \
                    what it costs is what the server costs without us.......\"}";

pub(crate) fn configure(config: &mut ServiceConfig) {
    config.route(
        "/constant",
        web::get().to(async || HttpResponse::Ok().content_type("application/json").body(BODY)),
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_constant_response_has_150_bytes() {
        assert_eq!(super::BODY.len(), 150);
    }
}
