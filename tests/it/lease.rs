//! The lease and the journal's copy against an emulated S3: one holder at a time, whoever comes back too late is fenced
//! off, and what S3 loses or refuses on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lifeboat::aws::Session;
use lifeboat::journal::lease::{Body, Claim, Holder, Lease, LeaseObject, Refused, SCHEMA_VERSION, Taking, judge};
use lifeboat::journal::replica::{Replica, ReplicaError, ReplicaPlace, runs};
use lifeboat::journal::{self, BootClock, Clock, Event, Guard, Held, Journal, JournalError, Refusal};
use lifeboat::rehearse::proxy::{Control, Effect, Pattern, Proxy, ProxyOptions};
use lifeboat::runbook::Runbook;
use tokio::sync::watch;

use crate::harness::{self, TestEmulator};
use crate::offline::RECOVERY;

const BUCKET: &str = "state";
const RUN: &str = "20261122T1600-prod-7f3a";

/// A bucket behind a proxy.
struct Place {
    moto: TestEmulator,
    proxy: Proxy,
}

impl Place {
    async fn new() -> Self {
        let moto = harness::emulator().await;
        moto.session(RECOVERY).s3().create_bucket().bucket(BUCKET).send().await.expect("a bucket");
        let log = moto.dir.path().join("requests.jsonl");
        let options = ProxyOptions { upstream: moto.emulator.address(), log, port: None };
        let proxy = Proxy::start(&options).await.expect("a proxy");
        Self { moto, proxy }
    }

    fn control(&self) -> Arc<Control> {
        self.proxy.control()
    }

    fn session(&self) -> Session {
        Session::emulated(RECOVERY, &self.proxy.endpoint())
    }

    fn object(&self) -> LeaseObject {
        LeaseObject::new(self.session(), BUCKET, "logs", "prod")
    }

    fn copy(&self) -> ReplicaPlace {
        ReplicaPlace::new(self.session(), BUCKET, "logs", "prod", RUN)
    }

    /// Takes the lease as the command does: looks, decides, writes. `Err` is who was in the way.
    async fn take(&self, who: &Operator) -> Result<Lease, String> {
        let object = self.object();
        let found = object.read().await.expect("the bucket is there");
        let claim = Claim { run: RUN, of_the_dead: None, take_over: who.take_over, other_is_over: false };
        let permit = judge(found.as_ref(), &claim).map_err(|refused| match refused {
            Refused::Live { body, .. } => format!("live: {}", body.holder.token),
            other => format!("{other:?}"),
        })?;
        let body = Body {
            schema_version: SCHEMA_VERSION,
            service: "logs".into(),
            environment: "prod".into(),
            run: RUN.into(),
            fence: permit.fence,
            beat: 0,
            ttl_seconds: who.ttl.as_secs(),
            since: Timestamp::now(),
            holder: Holder { host: "desk".into(), pid: 1, caller: "arn".into(), token: who.token.into() },
            released: false,
            finished: false,
        };
        let (clock, stop) = (who.clock.clone(), who.stop.clone());
        let taking = Taking { object, body, permit, ttl: who.ttl, clock, stop };
        let taken = Lease::take(taking).await.map_err(|error| error.to_string())?;
        taken.map_err(|found| format!("quicker: {}", found.expect("the object").body.holder.token))
    }
}

/// A clock that the test can move on, as a suspended machine's does.
struct Sleeper {
    slept: std::sync::Mutex<Duration>,
}

impl Clock for Sleeper {
    fn now(&self) -> Duration {
        BootClock.now() + *self.slept.lock().unwrap()
    }
}

struct Operator {
    token: &'static str,
    take_over: Option<&'static str>,
    ttl: Duration,
    clock: Arc<dyn Clock>,
    stop: watch::Sender<bool>,
}

fn operator(token: &'static str) -> Operator {
    let (stop, _) = watch::channel(false);
    Operator { token, take_over: None, ttl: Duration::from_secs(60), clock: Arc::new(BootClock), stop }
}

fn started() -> Event {
    let runbook = Runbook {
        scenario: "failover".into(),
        environment: "prod".into(),
        service: "logs".into(),
        account: harness::ACCOUNT.into(),
        from_region: "eu-west-2".into(),
        to_region: RECOVERY.into(),
        steps: vec![],
        objectives: vec![],
        not_checked: vec![],
    };
    Event::RunStarted(Box::new(harness::started(RUN, runbook)))
}

fn held(why: &str) -> Event {
    Event::RunHeld { reason: why.into() }
}

/// A journal in a folder of its own, under the lease, with a copy that holds nothing yet.
fn journal(place: &Place, lease: Lease) -> (tempfile::TempDir, Journal, Arc<Held>) {
    let dir = tempfile::tempdir().expect("a folder");
    let replica = Replica::start(place.copy(), lease.keeping(), 0, b"");
    let held = Arc::new(Held { lease, replica });
    let journal = Journal::create(dir.path()).expect("a journal").guarded(held.clone());
    (dir, journal, held)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_operators_at_once_one_gets_the_lease_and_the_others_know_who() {
    let place = Place::new().await;
    let tokens: Vec<&'static str> = (0..20).map(|n| &*Box::leak(format!("operator-{n}").into_boxed_str())).collect();
    let operators: Vec<Operator> = tokens.iter().map(|token| operator(token)).collect();
    let results = futures::future::join_all(operators.iter().map(|who| place.take(who))).await;
    let winners: Vec<&str> =
        results.iter().zip(&tokens).filter(|(result, _)| result.is_ok()).map(|(_, token)| *token).collect();
    let [winner] = winners[..] else { panic!("{winners:?}") };
    for told in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(told.ends_with(winner), "{told}");
    }
    let there = place.object().read().await.expect("the bucket").expect("the lease");
    assert_eq!((there.body.holder.token.as_str(), there.body.fence), (winner, 1));
    assert!(there.age.is_some_and(|age| age < Duration::from_secs(10)), "by S3's own clock: {:?}", there.age);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_machines_that_race_fifty_times_exactly_one_goes_on_each_time() {
    let place = Place::new().await;
    let (one, other) = (operator("one"), operator("other"));
    for fence in 1..=50 {
        let (first, second) = tokio::join!(place.take(&one), place.take(&other));
        let lease = match (first, second) {
            (Ok(lease), Err(_)) | (Err(_), Ok(lease)) => lease,
            (Ok(_), Ok(_)) => panic!("both have it"),
            (Err(one), Err(other)) => panic!("neither has it: {one}, {other}"),
        };
        assert_eq!(lease.fence(), fence);
        lease.release(true).await.expect("let go");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_while_it_is_held_and_can_be_had_at_once_when_it_is_let_go() {
    let place = Place::new().await;
    let one = Operator { ttl: Duration::from_secs(2), ..operator("one") };
    let lease = place.take(&one).await.expect("it is free");
    // The reply to a renewal is lost, and with it the SDK's own second try is refused: it is known for our own all the
    // same.
    place.control().add(Pattern::operation("s3", "PutObject"), Effect::LoseReply { nth: 3 });
    tokio::time::sleep(Duration::from_secs(4)).await;
    lease.keeping().check().expect("it outlives its time by far");
    let there = place.object().read().await.expect("the bucket").expect("the lease");
    assert!(there.body.beat >= 4, "{}", there.body.beat);
    assert!(place.take(&operator("two")).await.err().is_some_and(|why| why == "live: one"));
    lease.release(false).await.expect("let go");
    let two = place.take(&operator("two")).await.expect("it is free again");
    assert_eq!(two.fence(), 2, "the fencing number grows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_who_comes_back_after_a_take_over_can_neither_append_nor_replicate() {
    let place = Place::new().await;
    let clock = Arc::new(Sleeper { slept: Default::default() });
    let away = Operator { ttl: Duration::from_secs(5), clock: clock.clone(), ..operator("away") };
    let lease = place.take(&away).await.expect("it is free");
    let (dir, journal, guard) = journal(&place, lease);
    journal.append(started()).expect("appended");
    journal.settled().await.expect("copied");
    let before = journal::lines_of(dir.path()).expect("lines");
    assert_eq!(place.copy().fetch().await.expect("the copy"), before, "byte for byte");

    // Its requests do not arrive for as long as the lease holds, while it believes to be alone.
    place.control().add(Pattern::operation("s3", "PutObject"), Effect::Hang);
    let named = Operator { take_over: Some("desk"), ..operator("heir") };
    let direct = Place {
        moto: harness::emulator().await,
        proxy: Proxy::start(&ProxyOptions {
            upstream: place.moto.emulator.address(),
            log: place.moto.dir.path().join("heir.jsonl"),
            port: None,
        })
        .await
        .expect("a proxy"),
    };
    assert_eq!(direct.take(&named).await.err().as_deref(), Some("live: away"), "not a second too early");
    let began = Instant::now();
    let heir = loop {
        match direct.take(&named).await {
            Ok(lease) => break lease,
            Err(why) => assert!(why == "live: away" && began.elapsed() < Duration::from_secs(20), "{why}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(heir.fence(), 2);
    assert!(*away.stop.borrow(), "the holder was stopped before anybody could take over");
    place.control().clear();
    let error = journal.append(held("too late")).expect_err("it is fenced off");
    assert!(matches!(error, JournalError::Refused(Refusal::LeaseLost(_))), "{error}");
    assert_eq!(journal::lines_of(dir.path()).expect("lines"), before, "not a byte was written");
    assert!(guard.let_go(1, false).await.not_released.is_some(), "what is another's is left alone");
    let there = direct.object().read().await.expect("the bucket").expect("the lease");
    assert_eq!((there.body.holder.token.as_str(), there.body.released), ("heir", false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_whose_lease_was_taken_learns_it_from_s3_and_says_by_whom() {
    let place = Place::new().await;
    let one = Operator { ttl: Duration::from_secs(3), ..operator("one") };
    let lease = place.take(&one).await.expect("it is free");
    let mut other = place.object().read().await.expect("the bucket").expect("the lease").body;
    (other.fence, other.holder.token, other.holder.host) = (2, "other".into(), "elsewhere".into());
    let body = serde_json::to_vec(&other).expect("JSON");
    let s3 = place.session().s3();
    s3.put_object().bucket(BUCKET).key("lifeboat/logs/prod/lease.json").body(body.into()).send().await.expect("put");
    let mut stopped = one.stop.subscribe();
    tokio::time::timeout(Duration::from_secs(5), stopped.wait_for(|stop| *stop)).await.expect("in time").expect("told");
    let Err(Refusal::LeaseLost(why)) = lease.keeping().check() else { panic!("it holds") };
    assert!(why.contains("elsewhere") && why.contains("fencing number 2; ours is 1"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_laptop_that_slept_through_its_lease_does_nothing_when_it_wakes() {
    let place = Place::new().await;
    let clock = Arc::new(Sleeper { slept: Default::default() });
    let lease = place.take(&Operator { clock: clock.clone(), ..operator("laptop") }).await.expect("it is free");
    let (_dir, journal, _guard) = journal(&place, lease);
    journal.append(started()).expect("appended");
    *clock.slept.lock().unwrap() = Duration::from_secs(49);
    journal.append(held("just in time")).expect("appended");
    *clock.slept.lock().unwrap() = Duration::from_secs(51);
    assert!(matches!(journal.append(held("too late")), Err(JournalError::Refused(Refusal::LeaseLost(_)))));
    *clock.slept.lock().unwrap() = Duration::ZERO;
    assert!(journal.append(held("lost stays lost")).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_s3_down_no_effect_begins_and_the_holder_stops_in_time() {
    let place = Place::new().await;
    let who = Operator { ttl: Duration::from_secs(3), ..operator("one") };
    let lease = place.take(&who).await.expect("it is free");
    let (_dir, journal, _guard) = journal(&place, lease);
    place.control().add(Pattern { service: Some("s3".into()), ..Pattern::default() }, Effect::Refuse);
    let began = Instant::now();
    journal.append(started()).expect("here it can be written");
    assert!(journal.settled().await.is_err(), "and no effect may follow");
    let mut stopped = who.stop.subscribe();
    tokio::time::timeout(Duration::from_secs(5), stopped.wait_for(|stop| *stop)).await.expect("in time").expect("told");
    assert!(began.elapsed() < Duration::from_secs(3), "before the lease expires: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_outage_of_s3_is_waited_for_and_nothing_is_copied_twice() {
    let place = Place::new().await;
    let lease = place.take(&operator("one")).await.expect("it is free");
    let (dir, journal, _guard) = journal(&place, lease);
    let all = Pattern { service: Some("s3".into()), ..Pattern::default() };
    place.control().add_for(all, Effect::Refuse, Duration::from_millis(1500));
    journal.append(started()).expect("appended");
    let copied = tokio::spawn(async move {
        journal.settled().await.expect("once S3 is back");
        // Its reply is lost: the object is found to hold these very lines.
        journal
    });
    let journal = copied.await.expect("no panic");
    let asked = place.control().seen(&Pattern::operation("s3", "PutObject"));
    place.control().add(Pattern::operation("s3", "PutObject"), Effect::LoseReply { nth: asked + 1 });
    for n in 0..100 {
        journal.append(held(&n.to_string())).expect("appended");
    }
    journal.settled().await.expect("copied");
    assert_eq!(place.copy().fetch().await.expect("the copy"), journal::lines_of(dir.path()).expect("lines"));
    let batches =
        lifeboat::aws::s3::list_under(&place.session(), BUCKET, "lifeboat/logs/prod/runs/").await.expect("all");
    assert!(batches.len() < 50, "{} objects for 101 lines", batches.len());
    assert_eq!(runs(&place.session(), BUCKET, "logs", "prod").await.expect("runs"), [RUN]);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_conflict_are_refused_and_holes_are_seen() {
    let place = Place::new().await;
    let lease = place.take(&operator("one")).await.expect("it is free");
    let (_dir, journal, guard) = journal(&place, lease);
    journal.append(started()).expect("appended");
    journal.settled().await.expect("copied");
    let key = |n: u32| format!("lifeboat/logs/prod/runs/{RUN}/journal/{n:010}.jsonl");
    let s3 = place.session().s3();
    let put =
        |n: u32, body: &'static str| s3.put_object().bucket(BUCKET).key(key(n)).body(body.as_bytes().to_vec().into());
    put(1, "{\"another\":\"line\"}\n").send().await.expect("put");
    journal.append(held("ours")).expect("appended here");
    let error = journal.settled().await.expect_err("another's line is there");
    assert!(matches!(error, JournalError::Refused(Refusal::Conflicting(_))), "{error}");
    assert!(journal.append(held("more")).is_err(), "nothing is added to what conflicts");
    assert!(guard.check().is_err());
    s3.delete_object().bucket(BUCKET).key(key(1)).send().await.expect("deleted");
    put(5, "{}\n").send().await.expect("put");
    let Err(ReplicaError::Broken { why, .. }) = place.copy().fetch().await else { panic!("a hole was not seen") };
    assert!(why.contains("line 1 is missing"), "{why}");
    s3.delete_object().bucket(BUCKET).key(key(5)).send().await.expect("deleted");
    put(1, "{}").send().await.expect("put");
    assert!(matches!(place.copy().fetch().await, Err(ReplicaError::Broken { .. })), "half a line");
    place.control().add(Pattern::operation("s3", "ListObjectsV2"), Effect::Refuse);
    let failed = tokio::time::timeout(Duration::from_secs(60), place.copy().fetch()).await.expect("in time");
    assert!(matches!(failed, Err(ReplicaError::Aws(_))), "a listing that fails is never an empty one");
}
