//! A failover under throttling whose credentials expire half-way, with a role that is assumed, and the real Terraform.

use std::time::Duration;

use lifeboat::rehearse::proxy::{Effect, Pattern};
use serde_json::Value;

use crate::command;
use crate::outage::{FAILOVER, Outage};
use crate::resume_e2e::each_effect_is_there_once;

/// The profiles say the lost region on purpose: nothing may follow them there.
const PROFILES: &str = "[profile base]
aws_access_key_id = rehearsal
aws_secret_access_key = rehearsal
region = eu-west-2
[profile oncall]
role_arn = arn:aws:iam::123456789012:role/oncall
source_profile = base
region = eu-west-2
";

fn throttle(outage: &Outage) {
    outage.control().refuse_region("eu-west-2");
    outage.control().add(Pattern::default(), Effect::Throttle { share: 0.2, seed: 7 });
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_only_delays_and_expired_credentials_park_the_run_until_there_are_new_ones() {
    let _turn = command::turn().await;
    let mut outage = Outage::begin().await;
    let config = outage.home.path().join("aws-config");
    std::fs::write(&config, PROFILES).expect("profiles");
    outage.set("AWS_CONFIG_FILE", Some(&config.to_string_lossy()));
    outage.set("AWS_PROFILE", Some("oncall"));
    outage.set("AWS_ACCESS_KEY_ID", None);
    outage.set("AWS_SECRET_ACCESS_KEY", None);
    throttle(&outage);
    outage.control().settle_after(Duration::from_secs(4));

    let mut running = outage.start(FAILOVER);
    let restoring =
        || outage.is_started("restore.aurora.logs") && outage.has_seen("rds", "RestoreDBClusterFromSnapshot");
    outage.until(&mut running, "restoring", restoring).await;
    outage.control().add(Pattern::default(), Effect::Expire { from: 1 });
    let (code, said) = running.ends().await;
    assert_eq!(code, Some(4), "{said}");
    let run = outage.run_name();
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("log in again, then resume the run"), "{said}");
    assert!(words.ends_with(&format!("lifeboat resume {run}")), "no step has failed, so that none is to retry: {said}");

    outage.control().clear();
    throttle(&outage);
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
    let roles: Vec<_> = requests.iter().filter(|it| it.operation == "AssumeRole").collect();
    for agent in ["lifeboat", "terraform"] {
        assert!(roles.iter().any(|it| it.agent == agent), "{agent} has assumed the role");
    }
    let lost: Vec<_> = requests.iter().filter(|it| it.region == "eu-west-2").collect();
    assert!(lost.is_empty(), "{lost:?}");
}
