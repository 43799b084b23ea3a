//! The state's lock, held by others or left behind: with the real Terraform and the emulator's S3, and the command as the
//! operator uses it.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use lifeboat::rehearse::proxy::{Catch, Trap};
use lifeboat::steps::StepError;
use lifeboat::terraform::TerraformError;
use lifeboat::terraform::events::Event;

use crate::harness;
use crate::state_custody::Tiny;
use crate::terraform_world::{Notes, Site};

const LOCK: &str = "env:/tiny-dr/tiny.tfstate.tflock";
const LOCK_ID: &str = "c2a1f5d4-6a43-7f1d-3c85-7d9a2d3f4e5b";
const FAILOVER: [&str; 4] = ["failover", "tiny", "--confirm", "tiny"];

/// Terraform gets the lock and not the answer: it asks again, and is refused for its own lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_whose_answer_was_lost_is_known_by_its_id_and_taken_away() {
    let tiny = Tiny::new().await;
    let first_lock = Trap {
        matches: Box::new(|call, agent| agent == "terraform" && call.operation == "PutObject"),
        nth: 1,
        catch: Catch::LoseReply,
    };
    let caught = tiny.proxy.control().trap(first_lock);
    let (code, _, said) = tiny.lifeboat(&FAILOVER).await;
    assert_eq!(code, Some(0), "{said}");
    caught.await.expect("the answer was lost");
    assert!(said.contains("lifeboat takes the state lock"), "{said}");
    assert!(!there(&tiny).await, "none is left");
}

/// Before the state is made Terraform itself cannot take a lock away.
#[tokio::test(flavor = "multi_thread")]
async fn anothers_lock_stays_until_its_id_is_typed_also_before_there_is_a_state() {
    let tiny = Tiny::new().await;
    put_lock(&tiny).await;
    let (code, _, said) = tiny.lifeboat(&FAILOVER).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("ana@bastion") && there(&tiny).await, "{said}");
    let run = tiny.run();
    a_lock_goes_only_by_its_id(&tiny, &run).await;
    let (code, _, said) = tiny.lifeboat(&["resume", &run, "--retry", "infrastructure.prepare"]).await;
    assert_eq!(code, Some(0), "{said}");
}

async fn there(tiny: &Tiny) -> bool {
    tiny.moto.session("us-east-1").s3().head_object().bucket("state").key(LOCK).send().await.is_ok()
}

/// As a Terraform leaves it whose machine is gone.
async fn put_lock(tiny: &Tiny) {
    let lock = format!(
        r#"{{"ID":"{LOCK_ID}","Operation":"OperationTypeApply","Info":"","Who":"ana@bastion","Version":"1.11.4","Created":"2026-11-22T03:12:09Z","Path":"state/env:/tiny-dr/tiny.tfstate"}}"#
    );
    let s3 = tiny.moto.session("us-east-1").s3();
    s3.put_object().bucket("state").key(LOCK).body(ByteStream::from(lock.into_bytes())).send().await.expect("a lock");
}

async fn a_lock_goes_only_by_its_id(tiny: &Tiny, run: &str) {
    let (code, _, said) = tiny.lifeboat(&["state", "unlock", run]).await;
    assert_eq!(code, Some(0), "{said}");
    for words in ["ana@bastion", "2026-11-22T03:12:09Z", "operation Apply", &format!("--lock-id {LOCK_ID}")] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let (code, _, said) = tiny.lifeboat(&["state", "unlock", run, "--lock-id", "c2a1"]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(there(tiny).await, "another id takes nothing away");
    let (code, _, said) = tiny.lifeboat(&["state", "unlock", run, "--lock-id", LOCK_ID]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!there(tiny).await, "{said}");
    let (code, _, said) = tiny.lifeboat(&["state", "unlock", run, "--lock-id", LOCK_ID]).await;
    assert_eq!(code, Some(3), "{said}");
}

async fn error_of<T: std::fmt::Debug>(result: impl Future<Output = Result<T, TerraformError>>) -> StepError {
    StepError::from(result.await.expect_err("it cannot succeed"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_the_lock_is_named_and_is_waited_for_first() {
    let moto = harness::emulator().await;
    moto.session("us-east-1").s3().create_bucket().bucket("state").send().await.expect("a bucket for state");
    let slow =
        "resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"sleep 8\"\n  }\n}\n";
    let (one, other) = (Site::in_s3(&[("main.tf", slow)], moto.endpoint()), Site::in_s3(&[], moto.endpoint()));
    other.write("root/main.tf", "resource \"terraform_data\" \"b\" {}\n");
    let (working, waiting) = (one.workdir().await, other.workdir().await);
    working
        .plan_base(&Default::default(), &Default::default(), &Default::default(), &Notes::default())
        .await
        .expect("a plan");
    waiting.ready(&Notes::default()).await.expect("ready");
    let (at_work, notes) = (Notes::default(), Notes::default());
    let refused = async {
        while !at_work.events.lock().expect("no poison").iter().any(|it| matches!(it, Event::Started { .. })) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let held = waiting.held_lock(&Notes::default()).await.expect("an answer").expect("a lock");
        (held, error_of(waiting.plan_base(&Default::default(), &Default::default(), &Default::default(), &notes)).await)
    };
    let (applied, (held, refused)) = tokio::join!(working.apply("base", &at_work), refused);
    applied.expect("nobody was in its way");
    assert!(notes.events.lock().expect("no poison").contains(&Event::WaitingForLock), "the wait is told");
    for words in [held.id.as_str(), held.who.as_str(), held.created.as_str(), "operation Apply"] {
        assert!(!words.is_empty() && refused.cause.contains(words), "{words}: {refused}");
    }
    let hint = refused.hint.expect("what to do");
    assert!(hint.contains(&format!("lifeboat state unlock run --lock-id {}", held.id)), "{hint}");
    assert_eq!(waiting.held_lock(&Notes::default()).await.expect("an answer"), None, "asking leaves no lock behind");
}
