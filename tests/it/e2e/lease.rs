//! The operator's machine is lost in the middle of a failover by an approved bundle; another one, which has nothing but the
//! manifest, goes on, bound to what was approved.

use std::time::Duration;

use lifeboat::journal;
use lifeboat::rehearse::proxy::{Effect, Pattern};

use crate::command;
use crate::e2e::resume::each_effect_is_there_once;
use crate::outage::{FAILOVER, Outage};

/// Long enough for a busy machine to renew in, short enough to wait for.
const TTL: Duration = Duration::from_secs(20);

/// Plans the failover, which changes nothing, and approves what was planned. Returns the bundle.
async fn approved(outage: &Outage) -> String {
    let path = outage.home.path().join("bundle");
    let bundle = path.to_string_lossy().into_owned();
    let (code, said) = outage.lifeboat(&["plan", "failover", "prod", "--out", &bundle]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(outage.changes().is_empty(), "{:?}", outage.changes());
    let sealed = lifeboat::bundle::read(&path).expect("a bundle");
    assert_eq!(
        (sealed.index.subject.state.as_ref(), sealed.adopted().len(), sealed.points.len() >= 2),
        (None, 2, true)
    );
    let before: Vec<_> = sealed.records[0].records.iter().map(|it| it.before.is_some()).collect();
    assert_eq!(before.len(), 3, "{before:?}");
    let (code, said) = outage.lifeboat(&["approve", &bundle, "--confirm", "prod"]).await;
    assert_eq!(code, Some(0), "{said}");
    bundle
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_operators_machine_is_lost_another_one_waits_for_the_lease_and_goes_on_from_the_copy() {
    let _turn = command::turn().await;
    let outage = Outage::begin().await.with_lease_ttl(TTL);
    for operation in ["RestoreDBCluster*", "DescribeDBClusters"] {
        outage.control().add(Pattern::operation("rds", operation), Effect::Settle(Duration::from_secs(4)));
    }
    let bundle = approved(&outage).await;
    let mut failover = outage.start(&[FAILOVER, &["--bundle", &bundle]].concat());
    let restoring =
        || outage.is_started("restore.aurora.logs") && outage.has_seen("rds", "RestoreDBClusterFromSnapshot");
    outage.until(&mut failover, "restoring", restoring).await;
    outage.lose_the_machine(&mut failover).await;
    let killed = std::time::Instant::now();
    let (run, host) = (outage.run_name(), rustix::system::uname().nodename().to_string_lossy().into_owned());

    let (code, said) = outage.lifeboat_elsewhere(FAILOVER).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&format!("its lease is held for run {run}")) && said.contains(&host), "{said}");
    tokio::time::sleep((TTL + Duration::from_secs(4)).saturating_sub(killed.elapsed())).await;
    let (code, said) = outage.lifeboat_elsewhere(FAILOVER).await;
    assert_eq!(code, Some(3), "expired, and still another's: {said}");
    let next = format!("lifeboat resume {run} --take-over {host}");
    assert!(said.contains("its lease has expired") && said.contains(&next), "{said}");
    let (code, said) = outage.lifeboat_elsewhere(&["resume", &run, "--take-over", "somebody"]).await;
    assert_eq!(code, Some(3), "taken over only by its name: {said}");

    let (code, said) = outage.lifeboat_elsewhere(&["resume", &run, "--take-over", &host]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("fetched the journal of run {run}")), "{said}");
    each_effect_is_there_once(&outage).await;

    let (code, said) = outage.lifeboat(&["resume", &run]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("another machine went on") && said.contains(&format!("run {run} is finished")), "{said}");
    let (here, there) = (journal::lines_of(&outage.run()).expect("a journal"), outage.journal_elsewhere(&run));
    assert!(here == there, "both machines have the same journal");
}
