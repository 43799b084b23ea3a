//! A failover that is stopped or killed on its way, with the real Terraform, and what becomes of it.

use std::time::Duration;

use lifeboat::rehearse::proxy::{Effect, Pattern, RequestOutcome};

use crate::command;
use crate::outage::{FAILOVER, Outage, Running};

/// What there must be one of, or as many as the root declares, however often the run was taken up again.
const EFFECTS: [(&str, &str, usize); 12] = [
    ("rds", "RestoreDBClusterFromSnapshot", 1),
    ("rds", "CreateDBInstance", 1),
    ("rds", "CreateDBSubnetGroup", 1),
    ("dynamodb", "RestoreTableFromBackup", 1),
    ("route53", "ChangeResourceRecordSets", 1),
    ("ec2", "CreateVpc", 1),
    ("ec2", "CreateSubnet", 2),
    ("s3", "CreateBucket", 2),
    ("glue", "CreateDatabase", 1),
    ("iam", "CreateRole", 2),
    ("firehose", "CreateDeliveryStream", 1),
    ("monitoring", "PutDashboard", 1),
];

/// Long enough for a look at what goes on, and for a second lifeboat to come.
const HELD: Duration = Duration::from_secs(4);

pub async fn each_effect_is_there_once(outage: &Outage) {
    outage.clouds.hold_the_recovered_stack().await;
    let changes = outage.changes();
    for (service, operation, times) in EFFECTS {
        let asked: Vec<_> = changes.iter().filter(|it| it.service == service && it.operation == operation).collect();
        let done = asked.iter().filter(|it| (200..300).contains(&it.status)).count();
        // Lifeboat was killed before the answer came: whether it was done is for the look at the stack to say.
        let unknown = asked.iter().filter(|it| it.outcome == RequestOutcome::Abandoned).count();
        assert!(done <= times && done + unknown >= times, "{operation}: {asked:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_failovers_one_goes_on_and_ctrl_c_brings_it_to_a_safe_place() {
    let _turn = command::turn().await;
    let outage = Outage::begin().await;
    // The provider looks at a table of the catalog once it is made: stopped there, Terraform calls it half made. The
    // stream is not made yet: what is made, and stopped before the provider has told of it, Terraform knows nothing of.
    outage.control().add(Pattern::operation("glue", "GetTable"), Effect::Delay(2 * HELD));
    outage.control().add(Pattern::operation("firehose", "CreateDeliveryStream"), Effect::Delay(3 * HELD));
    let (mut one, mut other) = (outage.start(FAILOVER), outage.start(FAILOVER));
    while !one.has_ended() && !other.has_ended() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if one.has_ended() {
        std::mem::swap(&mut one, &mut other);
    }
    let (code, said) = other.ends().await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("another lifeboat is working on prod"), "{said}");

    let slow =
        |address: &String| address.contains("aws_glue_catalog_table") || address.contains("aws_kinesis_firehose");
    let only_slow = || outage.has_seen("glue", "GetTable") && outage.at_work().iter().all(slow);
    outage.until(&mut one, "building", only_slow).await;
    one.ctrl_c();
    let (code, said) = one.ends().await;
    assert_eq!(code, Some(4), "{said}");
    let run = outage.run_name();
    assert!(said.contains("stopping") && said.contains(&format!("lifeboat resume {run}")), "{said}");
    assert!(!outage.terraform_applies(), "nothing is left at work");
    let log = std::fs::read_to_string(&outage.logs("apply")[0]).expect("a log");
    assert_eq!(log.matches("Interrupt received").count(), 1, "{log}");
    assert!(!log.contains("Two interrupts"), "{log}");

    outage.control().clear();
    outage.control().refuse_region("eu-west-2");
    let (code, said) = outage.lifeboat(&["resume"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!outage.logs("untaint").is_empty(), "what was half made is kept, not made anew");
    each_effect_is_there_once(&outage).await;
}

/// Kills lifeboat once something is so, lets a second failover be refused, and starts to resume.
async fn killed_when(outage: &Outage, mut running: Running, what: &str, is: impl Fn() -> bool) -> Running {
    outage.until(&mut running, what, is).await;
    running.kill();
    let run = outage.run_name();
    let (code, said) = outage.lifeboat(FAILOVER).await;
    assert_eq!(code, Some(3), "killed while {what}: {said}");
    assert!(said.contains(&format!("run {run} of prod has no end yet")) && said.contains("was killed"), "{said}");
    outage.start(&["resume", &run])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_is_killed_again_and_again_is_finished_by_resume_and_does_nothing_twice() {
    let _turn = command::turn().await;
    let outage = Outage::begin().await;
    let slow = |service: &str, operation: &str, effect: Effect| {
        outage.control().add(Pattern::operation(service, operation), effect);
    };
    slow("ec2", "CreateSubnet", Effect::Delay(2 * HELD));
    slow("rds", "RestoreDBCluster*", Effect::Settle(HELD));
    slow("rds", "DescribeDBClusters", Effect::Settle(HELD));
    slow("monitoring", "PutDashboard", Effect::Delay(2 * HELD));
    slow("route53", "GetChange", Effect::Delay(HELD));

    let failover = outage.start(FAILOVER);
    let building = || outage.is_started("infrastructure.apply") && outage.has_seen("ec2", "CreateSubnet");
    let mut resumed = killed_when(&outage, failover, "building", building).await;
    assert!(outage.terraform_applies(), "terraform outlives lifeboat");
    let waiting = "waiting for the terraform of an earlier lifeboat process";
    resumed.says(waiting).await;
    assert_eq!(outage.logs("apply").len(), 1, "no second terraform beside the first");

    let restoring =
        || outage.is_started("restore.aurora.logs") && outage.has_seen("rds", "RestoreDBClusterFromSnapshot");
    let mut resumed = killed_when(&outage, resumed, "restoring", restoring).await;
    resumed.says("steps are verified\n  restore.aurora.logs  ").await;

    let adopting = || outage.is_started("adoption.apply") && outage.has_seen("monitoring", "PutDashboard");
    let resumed = killed_when(&outage, resumed, "adopting", adopting).await;

    let moving = || outage.is_started("cutover.public") && outage.has_seen("route53", "GetChange");
    let mut resumed = killed_when(&outage, resumed, "moving the traffic", moving).await;

    let (code, said) = resumed.ends().await;
    assert_eq!(code, Some(0), "{said}");
    each_effect_is_there_once(&outage).await;
}
