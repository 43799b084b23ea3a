//! Athena asked about the tables of a recreated catalog, with the command as the operator uses it. The emulator has workgroups and
//! answers what a test queues; it ignores tokens and knows no query that fails, waits or is asked about twice. Those are a fake:
//! `Fake` answers in the shapes of the Athena API reference ("StartQueryExecution", "GetQueryExecution", "GetQueryResults").

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_athena::types::{ResultConfiguration, WorkGroupConfiguration};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::command;
use crate::recover_catalog::{Site, export};
use crate::scripted::Scripted;

const BLOCK: &str = r#"
catalog "logs" {
  source    = "logs_prod"
  target    = "logs_prod_dr"
  from      = export("s3://exports/logs.json")
  locations = { "s3://logs-prod/" = "s3://logs-dr/" }
  verify    = [tables >= 1, athena("SELECT COUNT(*) FROM events") >= 5]
  athena {
    workgroup = "logs"
  }
}
"#;
const STEP: &str = "verify.catalog.logs";

async fn site() -> (Site, String) {
    let site = Site::new().await;
    site.tiny.write_manifest(BLOCK);
    site.recovery.s3().create_bucket().bucket("results").send().await.expect("a bucket");
    site.export(&export(&["events"], 2)).await;
    let to = site.later().await;
    (site, to)
}

async fn workgroup(site: &Site, output: Option<&str>) {
    let result = output.map(|output| ResultConfiguration::builder().output_location(output).build());
    let configuration = WorkGroupConfiguration::builder().set_result_configuration(result).build();
    let made = site.recovery.athena().create_work_group().name("logs").configuration(configuration);
    made.send().await.expect("a workgroup");
}

/// What the emulator shall answer to the next query.
async fn queue(site: &Site, value: &str) {
    let row = |value: &str| json!({ "Data": [{ "VarCharValue": value }] });
    let results =
        json!([{ "rows": [row("_col0"), row(value)], "column_info": [{ "Name": "_col0", "Type": "bigint" }] }]);
    let body = json!({ "region": "us-east-1", "results": results }).to_string();
    let request = format!(
        "POST /moto-api/static/athena/query-results HTTP/1.0\r\nHost: moto\r\nContent-Type: application/json\r\nContent-Length: \
         {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(site.tiny.moto.emulator.address()).await.expect("the emulator");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).await.expect("an answer");
    assert!(said.lines().next().is_some_and(|line| line.contains(" 201 ")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn athena_is_asked_about_the_recreated_tables_and_its_answer_decides() {
    let (site, to) = site().await;
    let go = |name: &'static str| ["--as", name, "--confirm", "tiny"];
    let (code, said) = site.recover("logs_prod_dr", &to, &go("a")).await;
    assert_eq!((code, said.contains("there is no workgroup logs of Athena in us-east-1")), (Some(3), true), "{said}");
    workgroup(&site, None).await;
    let (code, said) = site.recover("logs_prod_dr", &to, &go("a")).await;
    assert_eq!((code, said.contains("workgroup logs of Athena has no place for results")), (Some(3), true), "{said}");
    site.recovery.athena().delete_work_group().work_group("logs").send().await.expect("it is gone");
    workgroup(&site, Some("s3://nowhere/x/")).await;
    let (code, said) = site.recover("logs_prod_dr", &to, &go("a")).await;
    assert_eq!(
        (code, said.contains("bucket nowhere, where workgroup logs puts its results")),
        (Some(3), true),
        "{said}"
    );
    site.recovery.athena().delete_work_group().work_group("logs").send().await.expect("it is gone");
    workgroup(&site, Some("s3://results/x/")).await;

    queue(&site, "4").await;
    let (code, said) = site.recover("logs_prod_dr", &to, &go("a")).await;
    assert_eq!((code, said.contains(">= 5 was expected, found 4")), (Some(5), true), "{said}");
    let run = site.tiny.run();
    let retry = ["resume", &run, "--retry", STEP];
    // Nothing is queued: the emulator answers without a row, which is no answer.
    let (code, said) = site.tiny.words(&retry).await;
    assert_eq!((code, said.contains("no row came")), (Some(5), true), "{said}");
    queue(&site, "7").await;
    let (code, said) = site.tiny.words(&retry).await;
    assert_eq!(code, Some(0), "{said}");
    let report = site.tiny.report(&run).await;
    assert!(!report["not_checked"].to_string().contains("can be read"), "{report}");

    // The workgroup is the recovery region's.
    let (code, said) = site.recover("logs_prod", &to, &go("d")).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Athena is asked in the recovery region alone"), "{said}");
}

/// What a fake Athena says of every query.
#[derive(Clone, Default)]
struct Fake {
    state: Arc<Mutex<(&'static str, &'static str)>>,
}

impl Fake {
    fn of(state: &'static str, reason: &'static str) -> Self {
        let fake = Self::default();
        fake.becomes(state, reason);
        fake
    }

    fn becomes(&self, state: &'static str, reason: &'static str) {
        *self.state.lock().expect("not poisoned") = (state, reason);
    }

    async fn start(&self) -> Scripted {
        let fake = self.clone();
        Scripted::start(move |asked| {
            let (state, reason) = *fake.state.lock().expect("not poisoned");
            let body: Value = serde_json::from_str(&asked.body).expect("a request");
            let answer = match asked.header("x-amz-target") {
                "AmazonAthena.GetWorkGroup" => json!({ "WorkGroup": {
                    "Name": "logs", "State": "ENABLED",
                    "Configuration": { "EnforceWorkGroupConfiguration": true,
                                       "ResultConfiguration": { "OutputLocation": "s3://results/x/" } },
                } }),
                // The same token is the same execution.
                "AmazonAthena.StartQueryExecution" => json!({ "QueryExecutionId": body["ClientRequestToken"] }),
                "AmazonAthena.GetQueryExecution" => {
                    json!({ "QueryExecution": { "Status": { "State": state, "StateChangeReason": reason } } })
                }
                "AmazonAthena.GetQueryResults" => json!({ "ResultSet": {
                    "Rows": [{ "Data": [{ "VarCharValue": "_col0" }] }, { "Data": [{ "VarCharValue": "9" }] }],
                    "ResultSetMetadata": { "ColumnInfo": [{ "Name": "_col0", "Type": "bigint" }] },
                } }),
                "AmazonAthena.StopQueryExecution" => json!({}),
                other => panic!("{other} is not faked"),
            };
            (200, answer.to_string())
        })
        .await
    }
}

/// `lifeboat`, whose Athena is the fake.
async fn said(site: &Site, fake: &Scripted, args: &[&str]) -> (Option<i32>, String) {
    let mut command = site.tiny.command(args);
    command.env("AWS_ENDPOINT_URL_ATHENA", fake.url());
    let (code, said) = command::said(command).await;
    (code, said.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn recovering(to: &str) -> [&str; 10] {
    ["recover", "catalog", "logs_prod_dr", "--env", "tiny", "--to", to, "--confirm", "tiny", "--as=then"]
}

/// The tokens that queries were started with.
fn tokens(fake: &Scripted) -> Vec<String> {
    let asked = fake.asked();
    let started = asked.iter().filter(|it| it.header("x-amz-target").ends_with(".StartQueryExecution"));
    started
        .map(|it| {
            let body: Value = serde_json::from_str(&it.body).expect("a request");
            assert_eq!(body["QueryExecutionContext"]["Database"], "then", "{body}");
            body["ClientRequestToken"].as_str().expect("a token").to_owned()
        })
        .collect()
}

fn has_asked(fake: &Scripted, operation: &str) -> bool {
    fake.asked().iter().any(|it| it.header("x-amz-target").ends_with(operation))
}

/// Starts a recovery, and waits until its query is asked about.
async fn waiting(site: &Site, server: &Scripted, to: &str) -> tokio::process::Child {
    let mut command = site.tiny.command(&recovering(to));
    command.env("AWS_ENDPOINT_URL_ATHENA", server.url()).stderr(Stdio::null());
    let mut child = tokio::process::Command::from(command).spawn().expect("it starts");
    while !has_asked(server, ".GetQueryExecution") {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it asked");
    }
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_fails_tells_athenas_reason_and_a_retry_asks_anew() {
    let (site, to) = site().await;
    let fake = Fake::of("FAILED", "COLUMN_NOT_FOUND: line 1:8");
    let server = fake.start().await;
    let (code, told) = said(&site, &server, &recovering(&to)).await;
    assert_eq!(code, Some(5), "{told}");
    assert!(told.contains("FAILED: COLUMN_NOT_FOUND: line 1:8"), "{told}");
    fake.becomes("SUCCEEDED", "");
    let run = site.tiny.run();
    let (code, told) = said(&site, &server, &["resume", &run, "--retry", STEP]).await;
    assert_eq!(code, Some(0), "{told}");
    let tokens = tokens(&server);
    assert!(tokens.len() == 2 && tokens[0] != tokens[1], "an old answer is no new one: {tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_ends_its_query_and_a_resumed_one_asks_anew() {
    let (site, to) = site().await;
    let fake = Fake::of("QUEUED", "");
    let server = fake.start().await;
    let mut child = waiting(&site, &server, &to).await;
    let pid = Pid::from_raw(child.id().expect("it runs").cast_signed()).expect("a process");
    kill_process(pid, Signal::INT).expect("interrupted");
    let ended = child.wait().await.expect("it ends");
    assert_eq!(ended.code(), Some(4));
    assert!(has_asked(&server, ".StopQueryExecution"), "nobody waits for the query any more");
    fake.becomes("SUCCEEDED", "");
    let run = site.tiny.run();
    let (code, told) = said(&site, &server, &["resume", &run]).await;
    assert_eq!(code, Some(0), "{told}");
    let tokens = tokens(&server);
    assert!(tokens.len() == 2 && tokens[0] != tokens[1], "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_finds_the_query_that_it_began() {
    let (site, to) = site().await;
    let fake = Fake::of("RUNNING", "");
    let server = fake.start().await;
    let mut child = waiting(&site, &server, &to).await;
    child.kill().await.expect("killed");
    fake.becomes("SUCCEEDED", "");
    let run = site.tiny.run();
    let (code, told) = said(&site, &server, &["resume", &run]).await;
    assert_eq!(code, Some(0), "{told}");
    let tokens = tokens(&server);
    assert!(tokens.len() == 2 && tokens[0] == tokens[1], "the same query: {tokens:?}");
    assert!(!has_asked(&server, ".StopQueryExecution"));
}
