//! Waiting for AWS through a bad moment: only a refusal or the deadline ends it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat::steps::{Cx, Ready, StepError, wait_until};
use serde_json::Value;

use crate::offline;

fn cx(dir: &tempfile::TempDir) -> Cx {
    let world = offline::world("run", dir.path(), offline::nobody());
    Cx::detached(Arc::new(world), "restore.aurora.logs", Value::Null, HashMap::new())
}

fn throttled() -> StepError {
    let mut error = StepError::failed("rds:DescribeDBClusters: Throttling");
    error.transient = true;
    error
}

#[tokio::test]
async fn a_wait_goes_on_over_a_passing_disturbance() {
    let dir = tempfile::tempdir().unwrap();
    let (cx, mut asked) = (cx(&dir), 0);
    let ready = wait_until(&cx, "cluster x", Duration::from_secs(60), || {
        asked += 1;
        let answer = if asked == 1 { Err(throttled()) } else { Ok(Ready::Yes(asked)) };
        async move { answer }
    });
    assert_eq!(ready.await, Ok(2));
}

#[tokio::test]
async fn a_refusal_ends_a_wait_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let denied = || async { Err::<Ready<()>, _>(StepError::failed("AccessDenied")) };
    let ended = wait_until(&cx(&dir), "cluster x", Duration::from_secs(60), denied).await;
    assert_eq!(ended.unwrap_err().cause, "AccessDenied");
}

#[tokio::test]
async fn an_answer_that_never_comes_does_not_outlive_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let silent = std::future::pending::<Result<Ready<()>, StepError>>;
    let ended = wait_until(&cx(&dir), "cluster x", Duration::from_millis(300), silent).await;
    assert!(ended.unwrap_err().cause.contains("cluster x was still"));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_never_becomes_ready_is_told_with_its_last_status_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let creating = || async { Ok(Ready::<()>::NotYet("creating".into())) };
    let error = wait_until(&cx(&dir), "cluster x", Duration::from_millis(300), creating).await.unwrap_err();
    assert!(error.cause.starts_with("cluster x was still creating after "), "{error}");
    assert!(error.hint.is_some_and(|hint| hint.contains("retry the step to go on waiting")));
}
