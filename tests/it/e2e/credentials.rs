//! A failover under throttling whose credentials expire half-way, with the real Terraform.

use std::time::Duration;

use lifeboat::rehearse::proxy::{Effect, Pattern};
use serde_json::Value;

use crate::command;
use crate::e2e::resume::each_effect_is_there_once;
use crate::outage::{FAILOVER, Outage};

fn throttle(outage: &Outage) {
    outage.control().refuse_region("eu-west-2");
    outage.control().add(Pattern::default(), Effect::Throttle { share: 0.2, seed: 7 });
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_only_delays_and_expired_credentials_park_the_run_until_there_are_new_ones() {
    let _turn = command::turn().await;
    let outage = Outage::begin().await;
    throttle(&outage);
    outage.control().settle_after(Duration::from_secs(4));

    let mut running = outage.start(FAILOVER);
    let restoring =
        || outage.is_started("restore.aurora.logs") && outage.has_seen("rds", "RestoreDBClusterFromSnapshot");
    outage.until(&mut running, "restoring", restoring).await;
    outage.control().add(Pattern::default(), Effect::Expire);
    let (code, said) = running.ends().await;
    assert_eq!(code, Some(4), "{said}");
    let run = outage.run_name();
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("log in again, then resume the run"), "{said}");
    assert!(words.ends_with(&format!("lifeboat resume {run}")), "no step has failed, so that none is to retry: {said}");

    outage.control().clear();
    outage.control().refuse_region("eu-west-2");
    let (code, said) = outage.lifeboat(&["resume", &run]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("throttled"), "it is told how often: {said}");
    each_effect_is_there_once(&outage).await;

    let report = command::output(outage.command(env!("CARGO_BIN_EXE_lifeboat"), &["report", &run, "--format", "json"]));
    let report: Value = serde_json::from_slice(&report.await.stdout).expect("JSON");
    let requests = &report["retries"]["requests"];
    assert!(
        requests["throttled"].as_u64() > Some(10) && requests["retried"].as_u64() >= requests["throttled"].as_u64()
    );
    assert_eq!(report["applied"].as_array().map(Vec::len), Some(2), "{}", report["applied"]);

    let requests = outage.requests();
    let lost: Vec<_> = requests.iter().filter(|it| it.region == "eu-west-2").collect();
    assert!(lost.is_empty(), "{lost:?}");
}
