//! A rehearsal in which things go wrong, as people call it: the real command, the real Terraform, and what is told.

use crate::command;

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsed_kill_is_resumed_and_a_fault_that_never_fired_is_no_passed_rehearsal() {
    let _turn = command::turn().await;
    let home = tempfile::tempdir().expect("a folder");
    let mut rehearse = command::lifeboat("http://127.0.0.1:9", home.path());
    rehearse.args(["rehearse", "prod", "--seed", "7"]);
    for fault in ["kill-after:restore.aurora.logs", "lose-reply:dynamodb:RestoreTableFromBackup", "refuse:dynamdb"] {
        rehearse.args(["--fault", fault]);
    }
    let (code, said) = command::said(rehearse).await;
    let lines = |mark: &str| said.lines().filter(|line| line.contains(mark)).count();
    assert!(said.contains("kill -9 at rds:RestoreDBClusterFromSnapshot of lifeboat"), "{said}");
    assert_eq!(lines("$ lifeboat resume "), 1, "one resume is enough:\n{said}");
    assert_eq!(lines("signal 9    lifeboat failover prod --confirm prod"), 1, "{said}");
    assert_eq!(lines("exit 0      lifeboat resume "), 1, "{said}");
    let fired = "kill-after:restore.aurora.logs fired once (rds:RestoreDBClusterFromSnapshot of lifeboat)";
    assert!(said.contains(fired), "{said}");
    assert!(said.contains("lose-reply:dynamodb:RestoreTableFromBackup fired once"), "{said}");
    // What was carried through is not the question any more: one of the faults was none.
    assert!(said.contains("refuse:dynamdb NEVER FIRED") && said.contains("did you mean dynamodb?"), "{said}");
    assert_eq!(code, Some(5), "{said}");
}

#[tokio::test]
async fn a_fault_that_cannot_be_is_refused_before_anything_is_started() {
    let home = tempfile::tempdir().expect("a folder");
    for (scenario, fault, hint) in [
        ("failover", "kil-after:cutover.public", "did you mean kill-after?"),
        ("failover", "kill-after:cutover.publik", "did you mean cutover.public?"),
        ("failover", "matrix:restore.aurora.log", "did you mean restore.aurora.logs?"),
        ("failover", "lose-reply:verify.aurora.logs", "no reply to lose"),
        ("breach", "kill-after:teardown.destry", "did you mean teardown.destroy?"),
        ("breach", "matrix:teardown.destry", "did you mean teardown.destroy?"),
        ("breach", "lose-reply:teardown.plan", "no reply to lose"),
    ] {
        let mut rehearse = command::lifeboat("http://127.0.0.1:9", home.path());
        rehearse.args(["rehearse", "prod", "--scenario", scenario, "--fault", fault]).env("LIFEBOAT_MOTO", "/nowhere");
        let (code, said) = command::said(rehearse).await;
        assert_eq!(code, Some(2), "{fault}: {said}");
        assert!(said.contains(hint) && said.contains("--list-faults"), "{fault}: {said}");
    }
}

/// The ground, an undisturbed rebuild and the cell: each of them waits for Terraform more than a minute.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn a_rebuild_that_is_killed_while_it_destroys_ends_as_an_undisturbed_one() {
    let _turn = command::turn().await;
    let home = tempfile::tempdir().expect("a folder");
    let mut rehearse = command::lifeboat("http://127.0.0.1:9", home.path());
    rehearse.args(["rehearse", "prod", "--scenario", "breach", "--fault", "matrix:teardown.destroy,after"]);
    let (code, said) = command::said(rehearse).await;
    assert!(said.contains("1/1 ok  teardown.destroy after: killed at "), "{said}");
    assert_eq!(code, Some(0), "{said}");
}
