//! The dates of a concert over HTTP, for callers the queue has admitted.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use decorators::deadline;
use domain::concert::ConcertId;
use domain::queue::QueueError;

use super::queue::waiting_token;
use crate::age_header::mark;
use crate::api::Api;
use crate::problem::Problem;
use crate::standard_headers::NO_STORE;

/// `GET /concert/{concertId}/date`. A successful response claims the caller's call before any of it
/// is sent; an error claims nothing.
///
/// Cached dates cost only the claim: it verifies the call, and a caller it refuses gets no dates.
/// In any other case, a catalog load or a cached absence, the store first confirms the call. A
/// lapsed token therefore never reaches the catalog, still costs one request to the queue's store,
/// and gets an error about its place rather than about the catalog.
pub(crate) async fn dates(
    api: &Api,
    request: &HttpRequest,
    concert: &str,
) -> Result<HttpResponse, Problem> {
    let concert = ConcertId::parse(concert)?;
    let mut admission = match api.queue.check(waiting_token(request)?) {
        // A caller who is not called yet gets their position: a status query by another path.
        Err(QueueError::NotYet(status)) => {
            api.overload.returned_without_poll(status.number, status.poll_after)?;
            return Err(Problem::NotYourTurn(status));
        }
        checked => checked?,
    };
    let at_hand = api.dates.at_once(concert);
    let serves = at_hand.as_ref().is_some_and(|answer| answer.value.0.is_some());
    if !serves {
        admission = api.queue.confirm(admission).await?;
    }
    let answer = {
        // The permit is not held during calls to the queue's store: a store that hangs must not use
        // up the permits of callers who only read.
        let _permit = api.overload.read().await?;
        match at_hand {
            Some(answer) => answer,
            None => api.dates.of(concert).await?,
        }
    };
    let body = answer.value.0.clone().ok_or(Problem::ConcertNotFound)?;
    // A claim now would spend the call on a response that comes too late.
    if deadline::left().is_some_and(|left| left.is_zero()) {
        return Err(Problem::TimedOut);
    }
    api.queue.claim(admission).await?;
    let mut response = HttpResponse::Ok();
    mark(&mut response, &answer);
    response.insert_header((CACHE_CONTROL, NO_STORE));
    Ok(response.content_type("application/json").body(body))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use actix_web::test::TestRequest;
    use adapter_memory::{MemoryCatalog, MemoryQueue, SystemClock};
    use adapter_token::{KeyRing, TokenKey};
    use decorators::cache::{Cache, CacheSettings};
    use domain::concert::PageSize;
    use domain::queue::{
        AdmissionPolicy, PlaceStatus, PollInterval, QueueId, QueueService, QueueServiceDeps, UserId,
    };
    use domain::schedule::ScheduleService;
    use domain::{Clock, Timestamp};
    use tokio::time::Instant;

    use super::*;
    use crate::concert::{ConcertPages, PageSource};
    use crate::overload::{LoadShedder, OverloadSettings};
    use crate::puzzle::JoinPuzzles;
    use crate::schedule::{ConcertDates, DateSource};

    fn api() -> Api {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let policy = AdmissionPolicy::default();
        let catalog = Arc::new(MemoryCatalog::sample(500, Timestamp::UNIX_EPOCH));
        let pages = PageSource::new(catalog.clone(), PageSize::new(10).unwrap());
        let schedules = Arc::new(ScheduleService::new(catalog, Arc::clone(&clock)));
        let settings = CacheSettings::default();
        let queue = QueueService::new(QueueServiceDeps {
            queue: QueueId::parse("main").unwrap(),
            policy,
            poll_interval: PollInterval::new(Duration::from_secs(1), Duration::from_secs(30))
                .unwrap(),
            token_ttl: Duration::MAX,
            stale_after: Duration::MAX,
            store: Arc::new(MemoryQueue::new(policy, Arc::clone(&clock))),
            signer: Arc::new(KeyRing::new(vec![TokenKey::from_bytes(&[1; 32]).unwrap()]).unwrap()),
            reserve: None,
            clock,
        });
        Api {
            queue: Arc::new(queue),
            concerts: Arc::new(ConcertPages::new(Cache::new(pages, settings, None))),
            dates: Arc::new(ConcertDates::new(Cache::new(
                DateSource::new(schedules),
                settings,
                None,
            ))),
            overload: LoadShedder::new(&OverloadSettings::default()),
            puzzles: JoinPuzzles::off(),
            documentation: false,
        }
    }

    #[tokio::test]
    async fn a_response_after_the_deadline_claims_nothing() {
        let api = api();
        let token = api.queue.join(UserId::new(7).unwrap(), None).await.unwrap().token;
        let header = ("waitingToken", token.as_str());
        let request = TestRequest::default().insert_header(header).to_http_request();
        let late = deadline::within(Instant::now(), dates(&api, &request, "451")).await;
        assert!(matches!(late, Err(Problem::TimedOut)), "{late:?}");
        let place_status = api.queue.query_status(token.as_str()).await.unwrap().place_status;
        assert!(matches!(place_status, PlaceStatus::Called { .. }), "{place_status:?}");

        let in_time = Instant::now() + Duration::from_secs(60);
        assert_eq!(
            deadline::within(in_time, dates(&api, &request, "451")).await.unwrap().status(),
            200
        );
        let place_status = api.queue.query_status(token.as_str()).await.unwrap().place_status;
        assert!(matches!(place_status, PlaceStatus::Active { .. }), "{place_status:?}");
    }
}
