//! Bounds the requests under way by their pace, and says how long one request is tried again.
//!
//! The SDK's own retries are off for these requests: they hide the throttling that the limit adapts to, and their
//! quota runs out in a long copy.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::is_transient;
use super::pace::Pace;
use super::{AwsError, explain};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The same where others get through meanwhile: then it is only a matter of the next turn.
const LONGEST_TURN: Duration = Duration::from_millis(800);
/// So many times more attempts are made where others get through.
const TURNS: u32 = 10;
/// How often a request is made at most, unless somebody says otherwise.
pub const MOST_ATTEMPTS: u32 = 40;
const LONGEST_TRYING: Duration = Duration::from_secs(600);

/// What a refused request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Fewer requests, then again.
    Throttled,
    /// Again.
    Transient,
    /// Trying again would not help.
    Final,
}

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub error: AwsError,
    pub outcome: Outcome,
}

/// Turns an SDK error into a refusal, for `map_err(refusal("s3:PutObject"))`.
pub fn refusal<E>(operation: &'static str) -> impl FnOnce(SdkError<E>) -> Refusal
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    move |error| {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let answered = matches!(error, SdkError::ServiceError(_));
        let outcome = classify(error.code(), status, answered);
        let error = explain(operation)(error);
        // Without credentials nothing is ever answered, however often it is asked.
        let outcome = if error.credentials_expired() { Outcome::Final } else { outcome };
        Refusal { error, outcome }
    }
}

/// What S3 has answered, read without the SDK.
pub(super) fn answered(operation: &'static str, code: &str, message: String, status: u16) -> Refusal {
    let transient = is_transient(Some(code), Some(status));
    let outcome = classify(Some(code), Some(status), true);
    Refusal { error: AwsError { operation, code: Some(code.to_owned()), message, transient }, outcome }
}

impl Refusal {
    /// No answer, or one that broke off.
    pub(super) fn unanswered(operation: &'static str, message: String) -> Self {
        let error = AwsError { operation, code: None, message, transient: true };
        Self { error, outcome: classify(None, None, false) }
    }
}

/// Amazon S3 API: "Error responses"; Amazon DynamoDB Developer Guide: "Error handling with DynamoDB". Which answers are worth
/// another try.
fn classify(code: Option<&str>, status: Option<u16>, answered: bool) -> Outcome {
    match (code, status) {
        (
            Some(
                "SlowDown"
                | "ServiceUnavailable"
                | "Throttling"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "ProvisionedThroughputExceededException",
            ),
            _,
        )
        | (None, Some(503 | 429)) => Outcome::Throttled,
        (Some("InternalError" | "InternalServerError" | "RequestTimeout" | "OperationAborted"), _)
        | (_, Some(500..=599)) => Outcome::Transient,
        // No answer, or one that broke off: nobody knows whether it was done, and every request here can be repeated.
        _ if !answered => Outcome::Transient,
        _ => Outcome::Final,
    }
}

/// Bounds the requests under way.
pub struct Limiter {
    permits: Semaphore,
    state: Mutex<State>,
    attempts: u32,
}

struct State {
    pace: Pace,
    /// How many permits exist; they are withdrawn as they come back.
    existing: usize,
    throttled: u64,
    /// Requests that got through.
    served: u64,
}

impl Limiter {
    pub fn new(most: usize) -> Self {
        let pace = Pace::new(most);
        let existing = pace.allowed();
        let state = Mutex::new(State { pace, existing, throttled: 0, served: 0 });
        Self { permits: Semaphore::new(existing), state, attempts: MOST_ATTEMPTS }
    }

    /// The same that gives up after so many attempts.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// How often AWS asked to slow down.
    pub fn throttled(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).throttled
    }

    /// Makes a request under the limit and repeats it while that may help. The request must be safe to repeat.
    ///
    /// # Errors
    /// AWS's final refusal, or its last one when the attempts or the time are used up.
    pub async fn run<T, A>(&self, mut request: impl FnMut() -> A + Send) -> Result<T, AwsError>
    where
        T: Send,
        A: Future<Output = Result<T, Refusal>> + Send,
    {
        let began = Instant::now();
        let (mut attempt, mut in_vain, mut served) = (0, 0, self.served());
        loop {
            attempt += 1;
            // The semaphore is never closed.
            let permit = self.permits.acquire().await.ok();
            let answer = request().await;
            let place = Place { permit, withdrawn: self.settle(&answer) };
            let refusal = match answer {
                Ok(value) => return Ok(value),
                Err(refusal) => refusal,
            };
            let throttled = refusal.outcome == Outcome::Throttled;
            let before = std::mem::replace(&mut served, self.served());
            let others = throttled && served > before;
            in_vain += u32::from(!others);
            let given_up = in_vain >= self.attempts || attempt >= self.attempts.saturating_mul(TURNS);
            if refusal.outcome == Outcome::Final || given_up || began.elapsed() >= LONGEST_TRYING {
                return Err(refusal.error);
            }
            let pause = tokio::time::sleep(pause(attempt, if others { LONGEST_TURN } else { LONGEST_PAUSE }));
            // What was too much waits in its place, so that no other takes it at once and is too much as well.
            let place = throttled.then_some(place);
            pause.await;
            drop(place);
        }
    }

    fn served(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).served
    }

    /// Adapts the limit to an answer; true where the permit shall not come back.
    fn settle<T>(&self, answer: &Result<T, Refusal>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(_) => {
                state.served += 1;
                state.pace.answered(false);
            }
            Err(Refusal { outcome: Outcome::Throttled, .. }) => {
                state.throttled += 1;
                state.pace.answered(true);
            }
            Err(_) => {}
        }
        let allowed = state.pace.allowed();
        if state.existing > allowed {
            state.existing -= 1;
            return true;
        }
        if state.existing < allowed {
            self.permits.add_permits(allowed - state.existing);
            state.existing = allowed;
        }
        false
    }
}

/// A place among the requests under way, until it is given back or taken away.
struct Place<'a> {
    permit: Option<SemaphorePermit<'a>>,
    /// There shall be fewer places.
    withdrawn: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.withdrawn
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

/// Doubles up to its limit; half of it is chance, so that those refused together do not come back together.
fn pause(attempt: u32, longest: Duration) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(longest);
    let chance = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos() % 1000);
    full / 2 + full / 2 * chance / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled() -> Refusal {
        let error = AwsError {
            operation: "s3:PutObject",
            code: Some("SlowDown".into()),
            message: "SlowDown".into(),
            transient: false,
        };
        Refusal { error, outcome: Outcome::Throttled }
    }

    #[test]
    fn the_permits_follow_the_pace_as_they_come_back() {
        let limiter = Limiter::new(64);
        let free = || limiter.permits.available_permits();
        assert_eq!(free(), 40);
        let held = limiter.permits.try_acquire_many(40).expect("permits");
        let withdrawn = (0..40).filter(|_| limiter.settle::<()>(&Err(throttled()))).count();
        drop(held);
        limiter.permits.forget_permits(withdrawn);
        assert_eq!(limiter.throttled(), 40);
        let state = limiter.state.lock().expect("a lock");
        assert_eq!((free(), state.existing), (state.pace.allowed(), state.pace.allowed()));
        assert_eq!(free(), 20, "half as many until it is counted what is refused");
    }

    #[tokio::test]
    async fn a_throttled_request_is_repeated_until_it_succeeds() {
        let limiter = Limiter::new(8);
        let mut left = 3;
        let answer = limiter
            .run(|| {
                left -= 1;
                std::future::ready(if left > 0 { Err(throttled()) } else { Ok("copied") })
            })
            .await;
        assert_eq!(answer, Ok("copied"));
        assert_eq!(limiter.throttled(), 2);
    }

    #[tokio::test]
    async fn what_is_refused_while_others_get_through_is_not_given_up() {
        let limiter = Limiter::new(8).attempts(1);
        let alone = limiter.run(|| std::future::ready(Err::<(), _>(throttled()))).await;
        assert_eq!((alone, limiter.throttled()), (Err(throttled().error), 1), "nobody gets through");
        let mut left = 4;
        let answer = limiter
            .run(|| {
                left -= 1;
                limiter.state.lock().expect("a lock").served += 1;
                std::future::ready(if left > 0 { Err(throttled()) } else { Ok("copied") })
            })
            .await;
        assert_eq!(answer, Ok("copied"));
    }

    #[tokio::test]
    async fn what_is_throttled_keeps_its_place_while_it_waits() {
        let limiter = std::sync::Arc::new(Limiter::new(1));
        let waiting = std::sync::Arc::clone(&limiter);
        let first = tokio::spawn(async move {
            let mut left = 2;
            waiting
                .run(|| {
                    left -= 1;
                    std::future::ready(if left > 0 { Err(throttled()) } else { Ok(()) })
                })
                .await
        });
        while limiter.throttled() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(limiter.permits.available_permits(), 0);
        first.await.expect("a task").expect("it gets through");
        assert_eq!(limiter.permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_final_refusal_is_not_repeated() {
        let limiter = Limiter::new(8);
        let mut asked = 0;
        let denied = AwsError {
            operation: "s3:PutObject",
            code: Some("AccessDenied".into()),
            message: String::new(),
            transient: false,
        };
        let answer: Result<(), _> = limiter
            .run(|| {
                asked += 1;
                std::future::ready(Err(Refusal { error: denied.clone(), outcome: Outcome::Final }))
            })
            .await;
        assert_eq!((answer, asked), (Err(denied), 1));
    }

    #[test]
    fn answers_are_sorted_by_what_they_ask_for() {
        assert_eq!(classify(Some("SlowDown"), Some(503), true), Outcome::Throttled);
        assert_eq!(classify(None, Some(503), true), Outcome::Throttled);
        assert_eq!(classify(Some("InternalError"), Some(200), true), Outcome::Transient);
        assert_eq!(classify(None, None, false), Outcome::Transient);
        assert_eq!(classify(Some("AccessDenied"), Some(403), true), Outcome::Final);
    }
}
