//! A cutover taken up by another process, and names that would lead it astray.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use lifeboat::engine::{Ended, Engine, execute};
use lifeboat::journal::{Event, Journal};
use lifeboat::manifest::{Cutover, Zone};
use lifeboat::runbook::{Action, Phase, Runbook, StepId, StepSpec};
use lifeboat::steps::{Resolver, change_records, view_cutover};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::cutover::{cluster, cutover, literal, recovery, simple, zone};
use crate::scripted::{Asked, Scripted};
use crate::terraform_world::files;
use crate::{harness, offline};

/// A process that dies while Route 53 tells the change to its name servers: the next one waits for the same change.
#[tokio::test]
async fn who_takes_up_a_cutover_waits_for_the_change_that_was_sent() {
    let asked = AtomicUsize::new(0);
    let server = Scripted::start(move |request: &Asked| {
        let ns = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";
        let zone = "<Id>/hostedzone/Z1</Id><Name>example.com.</Name><CallerReference>t</CallerReference>";
        if request.target.contains("/change/") {
            let status = if asked.fetch_add(1, Ordering::SeqCst) == 0 { "PENDING" } else { "INSYNC" };
            let info =
                format!("<Id>/change/C1</Id><Status>{status}</Status><SubmittedAt>2026-11-22T03:00:00Z</SubmittedAt>");
            return (200, format!("<GetChangeResponse {ns}><ChangeInfo>{info}</ChangeInfo></GetChangeResponse>"));
        }
        if request.method == "POST" {
            let caller =
                format!("<Arn>arn:aws:sts::{0}:user/t</Arn><UserId>t</UserId><Account>{0}</Account>", harness::ACCOUNT);
            let result = format!("<GetCallerIdentityResult>{caller}</GetCallerIdentityResult>");
            return (200, format!("<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"));
        }
        assert!(request.target.contains("/hostedzone/Z1") && request.method == "GET", "{request:?}");
        if request.target.contains("/rrset") {
            let set = "<ResourceRecordSet><Name>api.example.com.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords>\
                       <ResourceRecord><Value>192.0.2.9</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>";
            let body = format!(
                "<ResourceRecordSets>{set}</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>1</MaxItems>"
            );
            return (200, format!("<ListResourceRecordSetsResponse {ns}>{body}</ListResourceRecordSetsResponse>"));
        }
        (200, format!("<GetHostedZoneResponse {ns}><HostedZone>{zone}</HostedZone></GetHostedZoneResponse>"))
    })
    .await;
    let api = Cutover {
        zone: Zone::Id("Z1".into()),
        ..cutover(vec![simple("api.example.com", "A", vec![literal("192.0.2.9")])])
    };
    let id = StepId::from("cutover.api");
    let spec = StepSpec {
        id: id.clone(),
        phase: Phase::Cutover,
        title: "move the records".into(),
        after: vec![],
        component: None,
        expected: SignedDuration::from_secs(60),
        action: Action::Cutover { cutover: api },
    };
    let runbook = Runbook {
        scenario: "failover".into(),
        environment: "prod".into(),
        service: "logs".into(),
        account: harness::ACCOUNT.into(),
        from_region: "eu-west-2".into(),
        to_region: "us-east-1".into(),
        steps: vec![spec],
        objectives: vec![],
        not_checked: vec![],
    };
    let dir = tempfile::tempdir().expect("a folder");
    let journal = Journal::create(dir.path()).expect("a journal");
    let started = harness::started("run", runbook.clone());
    let noted = Event::StepNoted { step: id.clone(), name: "change_id".into(), value: json!("C1") };
    let before = [
        Event::RunStarted(Box::new(started)),
        Event::StepTaken { step: id.clone() },
        Event::StepStarted { step: id.clone(), attempt: 1 },
        noted,
        Event::RunResumed {
            pid: 2,
            host: "other".into(),
            retry: vec![],
            restaged: None,
            source: None,
            accepted: vec![],
            tenure: None,
        },
    ];
    for event in before {
        journal.append(event).expect("on disk");
    }
    let (notices, _told) = mpsc::unbounded_channel();
    let (_keep, stop) = watch::channel(false);
    let engine = Engine {
        runbook: Arc::new(runbook),
        world: Arc::new(offline::world("run", dir.path(), server.session("us-east-1"))),
        make: Arc::new(lifeboat::steps::make),
        notices,
        stop,
    };
    let journal = Arc::new(journal);
    assert_eq!(execute(&engine, journal.clone()).await.expect("a journal"), Ended::Done { changed: false });
    let asked = server.asked().iter().filter(|asked| asked.target.contains("/change/C1")).count();
    assert_eq!(asked, 2, "it waited until the change was in sync");
    assert_eq!(journal.state().steps[&id].output["change_id"], "C1");
}

#[tokio::test]
async fn no_name_from_the_manifest_leads_out_of_the_runs_folder() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    zone(&session, false).await;
    let outer = tempfile::tempdir().expect("a folder");
    let run_dir = outer.path().join("runs/r1");
    std::fs::create_dir_all(&run_dir).expect("the run's folder");
    let (clusters, region) = ([cluster()], recovery());
    let resolver = Resolver::new(&session, &clusters, &region, |_| None);
    let api = Cutover {
        name: "../../../evil\u{1b}[2J<b>".into(),
        ..cutover(vec![simple("api.example.com", "A", vec![literal("192.0.2.9")])])
    };
    let view = view_cutover(&session, &api, &resolver).await.expect("a view");
    change_records(&session, &api, &view, "r1", &run_dir, async |_| Ok(())).await.expect("changed");
    assert_eq!(files(&run_dir), ["undo-_________evil__2J_b_.json"]);
    assert_eq!((files(outer.path()), files(&outer.path().join("runs"))), (vec!["runs".into()], vec!["r1".into()]));
}
