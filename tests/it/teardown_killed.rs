//! A teardown whose process is killed, with SIGKILL, while one of its requests is under way, and taken up again by another
//! process: the end is the same.

use std::path::PathBuf;
use std::time::Duration;

use lifeboat::engine::Ended;
use lifeboat::rehearse::proxy::{Catch, Release, Trap};

use crate::command;
use crate::teardown_world::{Place, STANDS, filled, told};

/// Started by the test that kills it; of itself it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process that the tests of this file start and kill: make slow"]
async fn a_process_that_is_killed() {
    let (Some(dir), Ok(endpoint)) = (std::env::var_os("TEARDOWN_DIR"), std::env::var("TEARDOWN_ENDPOINT")) else {
        return;
    };
    Place::at(PathBuf::from(dir), endpoint).run().await;
}

/// Kills the process of a run when one of its requests is under way, and takes the run up again.
#[expect(clippy::disallowed_methods, reason = "a process is needed that can be killed")]
async fn killed_at(service: &'static str, operation: &'static str, catch: Catch) {
    let _turn = command::turn().await;
    let stack = filled().await;
    let at = Trap {
        matches: Box::new(move |call, _| call.service == service && call.operation == operation),
        nth: 1,
        catch,
    };
    let caught = stack.proxy.control().trap(at);
    let mut process = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "teardown_killed::a_process_that_is_killed", "--ignored"])
        .env("TEARDOWN_DIR", &stack.place.dir)
        .env("TEARDOWN_ENDPOINT", &stack.place.endpoint)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a process");
    let caught = tokio::time::timeout(Duration::from_secs(120), caught).await.expect("in time").expect("a request");
    process.kill().expect("it is killed");
    process.wait().expect("it has ended");
    caught.release(Release::Go);
    let ended = stack.place.resume(&[]).await;
    assert_eq!(ended, Ended::Done { changed: true }, "{operation}: {}", told(&ended));
    assert_eq!(stack.standing().await, STANDS, "{operation}");
    let proof = stack.place.output("teardown.proof");
    assert_eq!(proof["stays"], 1, "{operation}: {proof}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn a_teardown_killed_while_it_empties_is_gone_on_with() {
    killed_at("s3", "DeleteObjects", Catch::After).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn a_teardown_killed_while_it_switches_protection_off_is_gone_on_with() {
    killed_at("dynamodb", "UpdateTable", Catch::After).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn a_teardown_killed_while_it_destroys_is_gone_on_with() {
    killed_at("dynamodb", "DeleteTable", Catch::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn a_teardown_killed_while_it_restores_a_secret_is_gone_on_with() {
    killed_at("secretsmanager", "RestoreSecret", Catch::After).await;
}
