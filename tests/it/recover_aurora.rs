//! A cluster restored to a point in time beside itself, with the command as the operator uses it. What the emulator does not
//! do: it holds no rows, and tells a window from the cluster's making to this moment.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ServerlessV2ScalingConfiguration, Tag};
use jiff::Timestamp;
use lifeboat::aws::rds::{cluster, instance};
use lifeboat::rehearse::proxy::{Effect, Pattern, read_records};

use crate::mariadb::{MariaDb, PASSWORD};
use crate::state_custody::Tiny;

pub struct Site {
    pub tiny: Tiny,
    pub client: Client,
}

impl Site {
    pub async fn new() -> Self {
        let tiny = Tiny::with_root("").await;
        let client = tiny.moto.session("us-east-1").rds();
        let site = Self { tiny, client };
        create(&site.client, "logs").await;
        site
    }

    /// Within the window: right after the cluster was made.
    pub async fn then(&self) -> String {
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        Timestamp::from_second(Timestamp::now().as_second() - 1).expect("a time").to_string()
    }

    async fn recover(&self, name: &str, to: &str, more: &[&str]) -> (Option<i32>, String) {
        self.tiny.recover("aurora", name, to, more).await
    }
}

async fn create(client: &Client, id: &str) {
    let scaling = ServerlessV2ScalingConfiguration::builder().min_capacity(1.0).max_capacity(8.0).build();
    let create = client.create_db_cluster().db_cluster_identifier(id).engine("aurora-mysql");
    let create = create.master_username("admin").master_user_password("not-a-secret").port(3307);
    let create = create.serverless_v2_scaling_configuration(scaling).deletion_protection(true);
    let create = create.backup_retention_period(9).enable_cloudwatch_logs_exports("error");
    let create = create.preferred_maintenance_window("sun:05:00-sun:05:30");
    let create = create.tags(Tag::builder().key("team").value("logs").build());
    create.send().await.expect("a cluster");
    for (name, class, tier) in [("writer", "db.serverless", 0), ("reader", "db.r6g.large", 3)] {
        let instance = client.create_db_instance().db_instance_identifier(format!("{id}-{name}"));
        let instance = instance.db_cluster_identifier(id).engine("aurora-mysql").db_instance_class(class);
        instance.promotion_tier(tier).send().await.expect("an instance");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_restored_beside_itself_with_its_settings_and_instances() {
    let site = Site::new().await;
    let to = site.then().await;
    let session = site.tiny.moto.session("us-east-1");
    let (code, said) = site.recover("logs", &to, &["--as", "logs-then", "--dry-run"]).await;
    assert_eq!((code, said.contains("becomes cluster logs-then")), (Some(0), true), "{said}");
    assert_eq!(cluster(&session, "logs-then").await.expect("an answer"), None, "a dry run makes nothing");

    let go = ["--as", "logs-then", "--confirm", "tiny"];
    let (code, said) = site.recover("logs", &to, &go).await;
    assert_eq!(code, Some(0), "{said}");
    let source = cluster(&session, "logs").await.expect("an answer").expect("the source");
    let restored = cluster(&session, "logs-then").await.expect("an answer").expect("the restored one");
    let settings = |it: &lifeboat::aws::rds::ClusterState| {
        let it = it.clone();
        (it.port, it.scaling, it.deletion_protection, it.backup_retention_days, it.log_exports, it.maintenance_window)
    };
    assert_eq!(settings(&restored), settings(&source));
    assert_eq!((restored.security_groups, restored.subnet_group), (source.security_groups, source.subnet_group));
    assert_eq!(restored.tags.get("team").map(String::as_str), Some("logs"));
    assert_eq!(restored.tags.get("lifeboat:recovery-point"), Some(&source.arn));
    let writer = instance(&session, "logs-then-1").await.expect("an answer").expect("the writer");
    let reader = instance(&session, "logs-then-2").await.expect("an answer").expect("the reader");
    assert_eq!((writer.class.as_str(), writer.promotion_tier), ("db.serverless", Some(0)));
    assert_eq!((reader.class.as_str(), reader.promotion_tier), ("db.r6g.large", Some(3)));
    let requests = read_records(&site.tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
    let restores = requests.iter().filter(|it| it.operation == "RestoreDBClusterToPointInTime").count();
    assert_eq!(restores, 1);
    let report = site.tiny.report(&site.tiny.run()).await;
    assert_eq!(report["scenario"], "recover", "{report}");
    assert!(report["not_checked"].to_string().contains("rows of cluster logs-then"), "{report}");

    let (code, said) = site.recover("logs", &to, &go).await;
    assert_eq!((code, said.contains("cluster logs-then stands in us-east-1 already")), (Some(3), true), "{said}");
}

const AURORA: &str = r#"
aurora "logs" {
  source = "logs"
  target = "logs-dr"
  from   = latest_snapshot
  verify = [sql("SELECT COUNT(*) FROM events") >= 3, check_table("events")]
  sql {
    login    = secret("logs/checker")
    database = "logs"
  }
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_the_restored_cluster_are_asked_through_a_tunnel_what_the_manifest_and_the_operator_want_to_know() {
    let (site, database) = (Site::new().await, MariaDb::start().await);
    let to = site.then().await;
    let via = format!("127.0.0.1:{}", database.port);
    let more = ["--via", &via, "--confirm", "tiny", "--expect", "sql(\"SELECT MAX(id) FROM events\") == 3"];
    let (code, said) = site.recover("logs", &to, &more).await;
    assert_eq!((code, said.contains("nobody knows who shall ask the rows")), (Some(2), true), "{said}");
    site.tiny.write_manifest(AURORA);
    let (code, said) = site.recover("logs", &to, &more).await;
    assert_eq!((code, said.contains("secret logs/checker must be in us-east-1")), (Some(3), true), "{said}");
    let login = serde_json::json!({ "username": "checker", "password": PASSWORD, "engine": "mysql" }).to_string();
    let secrets = site.tiny.moto.session("us-east-1").secrets();
    secrets.create_secret().name("logs/checker").secret_string(login).send().await.expect("a secret");
    let (code, said) = site.recover("logs", &to, &more).await;
    assert_eq!(code, Some(0), "{said}");
    let run = site.tiny.run();
    let report = site.tiny.report(&run).await.to_string();
    assert!(report.contains("certificate is not looked at") && !report.contains("rows of cluster"), "{report}");
    let journal =
        std::fs::read_to_string(site.tiny.path(&format!("state/runs/{run}/journal.jsonl"))).expect("a journal");
    let verified = journal.lines().find(|line| line.contains("\"rows\":[")).expect("the answers");
    assert!(verified.contains("SELECT MAX(id) FROM events") && verified.contains("\"found\":3"), "{verified}");
    assert!(!journal.contains("sorts"), "the password");

    site.tiny.write_manifest(&AURORA.replace("secret(\"logs/checker\")", "env(\"CHECKER\")"));
    let (code, said) = site.recover("logs", &to, &[&more[..], &["--as", "logs-short"]].concat()).await;
    assert_eq!((code, said.contains("CHECKER_USER is not set")), (Some(3), true), "{said}");
    site.tiny.write_manifest(AURORA);
    database.execute("DELETE FROM logs.events WHERE id = 2").await;
    let (code, said) = site.recover("logs", &to, &[&more[..], &["--as", "logs-short"]].concat()).await;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("SELECT COUNT(*) FROM events\") >= 3 was expected, found 2"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_to_that_time_is_refused_with_what_can() {
    let site = Site::new().await;
    let refused = async |name: &str, to: &str, more: &[&str], code: i32, words: &str| {
        let (found, said) = site.recover(name, to, &[&["--confirm", "tiny"], more].concat()).await;
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(words), "{words}: {said}");
    };
    let long_ago = "2001-01-01T00:00:00Z";
    refused("logs", long_ago, &[], 3, "cluster logs can be restored to a time from").await;
    refused("no-such", long_ago, &[], 3, "there is no cluster no-such in eu-west-2 or us-east-1").await;
    refused("logs", "2999-01-01T00:00:00Z", &[], 2, "is in the future").await;
    refused("logs", "2026-01-01T00:00:00", &[], 2, "write date, time and zone").await;
    refused("Logs", long_ago, &[], 2, "RDS keeps it in small letters").await;
    refused("logs", &site.then().await, &["--as", "logs"], 3, "cluster logs stands in us-east-1 already").await;
    refused("logs", long_ago, &["--as", "logs--then"], 2, "two in a row").await;
    refused("logs", long_ago, &["--region", "us-west-1"], 2, "is no region of tiny").await;
    let to = site.then().await;
    let taken = site.client.create_db_instance().db_instance_identifier("logs-then-1");
    taken.engine("mysql").db_instance_class("db.t3.micro").send().await.expect("an instance");
    refused("logs", &to, &["--as", "logs-then"], 3, "instance logs-then-1 stands in us-east-1 already").await;
    create(&site.tiny.moto.session("eu-west-2").rds(), "logs").await;
    refused("logs", long_ago, &[], 3, "cluster logs is in eu-west-2 and in us-east-1").await;
    site.tiny.proxy.control().add(Pattern::region("eu-west-2"), Effect::Refuse);
    refused("logs", long_ago, &["--region", "us-east-1"], 3, "can be restored to a time from").await;
    let clusters = site.client.describe_db_clusters().send().await.expect("a list");
    assert_eq!(clusters.db_clusters().len(), 1);
}
