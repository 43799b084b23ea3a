//! What a failover must not do, with the real Terraform: begin without a journal, write over what stands, move traffic
//! to data that is not whole.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use lifeboat::rehearse::proxy::{Effect, Pattern};

use crate::command;
use crate::outage::{FAILOVER, Outage};
use crate::recovered::TARGET;

/// The example's environment, with other expectations than the world can meet.
fn expecting_more(folder: &Path) -> String {
    let (from, to) = (command::project().join("environments/prod"), folder.join("environments/prod"));
    std::fs::create_dir_all(&to).expect("a folder");
    let manifest = std::fs::read_to_string(from.join("lifeboat.hcl")).expect("the example");
    let changed = manifest
        .replace("../../examples", &command::project().join("examples").to_string_lossy())
        .replace("items >= 1000", "items >= 1001");
    assert!(changed.contains("items >= 1001"));
    std::fs::write(to.join("lifeboat.hcl"), changed).expect("written");
    std::fs::copy(from.join("terraform.tfvars"), to.join("terraform.tfvars")).expect("copied");
    folder.join("environments").to_string_lossy().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_cannot_be_whole_changes_nothing_overwrites_nothing_and_moves_no_traffic() {
    let _turn = command::turn().await;
    let outage = Outage::begin().await;
    let records = outage.clouds.records().await;

    without_a_journal_nothing_is_changed(&outage).await;
    let run = objects_of_others_are_not_overwritten(&outage).await;
    assert_eq!(outage.clouds.records().await, records);
    what_is_another_than_at_the_start_is_refused_by_name(&outage, &run).await;
    with_an_item_too_few_no_traffic_moves(&outage, &run).await;
    assert_eq!(outage.clouds.records().await, records);
    the_operator_may_go_on_without_a_check_and_the_report_says_so(&outage, &run).await;
}

async fn without_a_journal_nothing_is_changed(outage: &Outage) {
    // A full disk: a limit on the size of files, whose signal is ignored so that writes fail as they would there.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let full = ["-c", script, env!("CARGO_BIN_EXE_lifeboat")];
    let (code, said) = command::said(outage.command("sh", &[&full[..], FAILOVER].concat())).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot be written, so nothing was changed"), "{said}");
    assert!(said.contains("File too large") && said.contains("LIFEBOAT_HOME"), "why, and what to do: {said}");

    // Whoever may write anywhere is no test for modes: a file stands where the runs should be.
    let other = outage.home.path().join("other");
    std::fs::create_dir(&other).expect("a folder");
    std::fs::write(other.join("runs"), "").expect("a file");
    let home = other.to_string_lossy();
    let (code, said) = outage.lifeboat(&[FAILOVER, &["--home", &home]].concat()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&*other.join("runs").to_string_lossy()), "{said}");

    let asked = outage.requests();
    assert!(asked.iter().any(|it| it.operation == "DescribeDBClusterSnapshots"), "everything was asked first");
    assert!(outage.changes().is_empty(), "{:?}", outage.changes());
}

/// Returns the run, which is held.
async fn objects_of_others_are_not_overwritten(outage: &Outage) -> String {
    let environments = expecting_more(outage.home.path());
    // The apply goes on long enough for somebody else to write into the new bucket.
    outage
        .control()
        .add(Pattern::operation("firehose", "CreateDeliveryStream"), Effect::Delay(std::time::Duration::from_secs(4)));
    let failover = [FAILOVER, &["--environments", &environments]].concat();
    let mut running = outage.start(&failover);
    let s3 = outage.clouds.recovery.s3();
    outage.until(&mut running, "building", || outage.has_seen("firehose", "CreateDeliveryStream")).await;
    let key = "app/a+b=c&d.json";
    let put = s3.put_object().bucket(TARGET).key(key).body(ByteStream::from_static(b"somebody else's"));
    put.send().await.expect("the bucket is there");
    let (code, said) = running.ends().await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(TARGET) && said.contains("nothing was overwritten"), "{said}");
    let listed = s3.list_objects_v2().bucket(TARGET).send().await.expect("a list");
    assert_eq!(listed.contents().len(), 1, "nothing was written beside it");
    let object = s3.get_object().bucket(TARGET).key(key).send().await.expect("it is there");
    assert_eq!(object.body.collect().await.expect("a body").into_bytes(), "somebody else's");

    s3.delete_object().bucket(TARGET).key(key).send().await.expect("moved away");
    let run = command::after(&said, "lifeboat resume ").to_owned();
    let (code, said) = outage.lifeboat(&["resume", &run]).await;
    assert_eq!(code, Some(3), "the operator chooses: {said}");
    run
}

/// Leaves a var file changed.
async fn what_is_another_than_at_the_start_is_refused_by_name(outage: &Outage, run: &str) {
    let resume = ["resume", run, "--retry", "restore.bucket.logs", "--retry", "verify.table.metadata"];
    let path = outage.state().join("runs").join(run).join("journal.jsonl");
    let journal = std::fs::read(&path).expect("a journal");
    let var_file = outage.home.path().join("environments/prod/terraform.tfvars");
    let values = std::fs::read_to_string(&var_file).expect("the var file");
    std::fs::write(&var_file, values + "# looked at\n").expect("written");
    let mut command = outage.command(env!("CARGO_BIN_EXE_lifeboat"), &resume);
    command.env("TF_VAR_master_password", "not-as-it-was");
    let (code, said) = command::said(command).await;
    assert_eq!(code, Some(3), "{said}");
    for part in ["terraform.tfvars has another content", "TF_VAR_master_password was not given then"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(said.contains("--accept-changed var-files") && !said.contains("not-as-it-was"), "{said}");
    assert_eq!(std::fs::read(&path).expect("a journal"), journal, "nothing has begun");
}

async fn with_an_item_too_few_no_traffic_moves(outage: &Outage, run: &str) {
    let retries = ["--retry", "restore.bucket.logs", "--retry", "verify.table.metadata"];
    let again = [&["resume", run, "--accept-changed", "var-files"][..], &retries].concat();
    let (code, said) = outage.lifeboat(&again).await;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("1000") && said.contains("items >= 1001"), "what was found and expected: {said}");
    assert!(!outage.has_seen("route53", "ChangeResourceRecordSets"));
    let path = outage.state().join("runs").join(run).join("journal.jsonl");
    let journal = std::fs::read_to_string(path).expect("a journal");
    assert!(journal.contains("\"accepted\":[\"var-files: "), "what was accepted is on record");
}

async fn the_operator_may_go_on_without_a_check_and_the_report_says_so(outage: &Outage, run: &str) {
    let moved = || outage.changes().into_iter().filter(|it| it.service == "route53").count();
    let (code, said) = outage.lifeboat(&["resume", run, "--skip", "verify.table.metadata"]).await;
    assert_eq!((code, moved()), (Some(2), 0), "a reason is asked for: {said}");
    let skip = ["--skip", "verify.table.metadata", "--because", "one item is known to be lost"];
    let skip = [&["resume", run, "--accept-changed", "var-files"][..], &skip].concat();
    let (code, said) = outage.lifeboat(&skip).await;
    assert_eq!((code, moved()), (Some(5), 1), "{said}");
    for words in ["verify.table.metadata", "left out by", "one item is known to be lost", "cutover.public builds on"] {
        let unwrapped = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains(words), "{words}: {said}");
    }
}
