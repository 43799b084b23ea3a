//! What may have been read is rotated, with the command as the operator uses it, against the emulator's Secrets Manager, IAM and
//! RDS. It calls no rotation function and takes any password: a rotation that is switched on changes the version at once, and
//! whether a database takes the new password only AWS shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_sdk_secretsmanager::types::{ReplicaRegionType, RotationRulesType};
use lifeboat::aws::secrets::{describe, version_text};
use lifeboat::rehearse::proxy::{Effect, Pattern, read_records};
use lifeboat::verify::sql::{Credentials, Database};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::command;
use crate::mariadb::MariaDb;
use crate::state_custody::Tiny;

const REGION: &str = "eu-west-2";
const OLD: &str = "an-old-hunter2";
const CONFIRMED: [&str; 4] = ["rotate", "tiny", "--confirm", "tiny"];
const BLOCK: &str = r#"
rotation {
  secrets = ["tiny/api", "tiny/app", "tiny/rotating", "tiny/certificate", "tiny/login"]
  cluster "logs" { secret = "tiny/db" }
  cluster "managed" {}
  user "ci" { secret = "tiny/ci" }
}
"#;

struct Site {
    tiny: Tiny,
    secrets: aws_sdk_secretsmanager::Client,
    iam: aws_sdk_iam::Client,
}

impl Site {
    async fn new() -> Self {
        let tiny = Tiny::with_root("").await;
        let session = tiny.moto.session(REGION);
        let site = Self { secrets: session.secrets(), iam: session.iam(), tiny };
        let json = |more: Value| {
            let mut login = json!({ "username": "admin", "password": OLD });
            login.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            login.to_string()
        };
        site.secret("tiny/api", OLD).await;
        site.secret("tiny/app", &json(json!({ "note": "kept", "port": 3306 }))).await;
        site.secret("tiny/rotating", OLD).await;
        site.secret("tiny/certificate", &format!("-----BEGIN KEY-----\n{OLD}")).await;
        site.secret("tiny/login", &json(json!({ "host": "db" }))).await;
        site.secret("tiny/db", &json(json!({ "engine": "mysql" }))).await;
        site.secrets.create_secret().name("tiny/ci").send().await.expect("a secret without a value");
        let rules = RotationRulesType::builder().automatically_after_days(30).build();
        let on = site.secrets.rotate_secret().secret_id("tiny/rotating").rotation_rules(rules);
        on.send().await.expect("a rotation");
        let rds = session.rds();
        let cluster = |id: &str| {
            rds.create_db_cluster().db_cluster_identifier(id).engine("aurora-mysql").master_username("admin")
        };
        cluster("logs").master_user_password(OLD).send().await.expect("a cluster");
        cluster("managed").manage_master_user_password(true).send().await.expect("a cluster");
        for user in ["moto", "ci"] {
            site.iam.create_user().user_name(user).send().await.expect("a user");
        }
        site.iam.create_access_key().user_name("ci").send().await.expect("a key");
        site.tiny.write_manifest(BLOCK);
        site
    }

    async fn secret(&self, name: &str, text: &str) {
        self.secrets.create_secret().name(name).secret_string(text).send().await.expect("a secret");
    }

    /// What everybody reads.
    async fn text(&self, name: &str) -> String {
        let session = self.tiny.moto.session(REGION);
        let detail = describe(&session, name).await.expect("an answer").expect("a secret");
        let text = version_text(&session, name, detail.current().expect("a version")).await.expect("an answer");
        text.expect("a text").reveal().to_owned()
    }

    async fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name).await).expect("JSON")
    }

    /// How many versions each secret has, with the clusters' own.
    async fn versions(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for secret in self.secrets.list_secrets().send().await.expect("a list").secret_list() {
            let name = secret.name().expect("a name");
            let versions = self.secrets.list_secret_version_ids().secret_id(name).send().await.expect("versions");
            found.insert(name.to_owned(), versions.versions().len());
        }
        found
    }

    /// The keys of the user, and whether each is active.
    async fn keys(&self) -> BTreeMap<String, bool> {
        lifeboat::aws::iam::keys(&self.tiny.moto.session(REGION), "ci").await.expect("keys")
    }

    /// How often each operation was asked for by the command.
    fn asked(&self, operation: &str) -> usize {
        let requests = read_records(&self.tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
        requests.iter().filter(|it| it.operation == operation).count()
    }

    /// Everything is rotated, once, and nothing that opens anything was written down.
    async fn rotated_once(&self, before: &BTreeMap<String, usize>, said: &str) {
        let after = self.versions().await;
        for (name, versions) in &after {
            let kept = ["tiny/certificate", "tiny/login"].contains(&name.as_str());
            assert_eq!(*versions, before[name] + usize::from(!kept), "{name}: {before:?} {after:?}");
        }
        let (api, app, database, key) = (
            self.text("tiny/api").await,
            self.json("tiny/app").await,
            self.json("tiny/db").await,
            self.json("tiny/ci").await,
        );
        let text = |value: &Value, key: &str| value[key].as_str().expect("a text").to_owned();
        let new = [api, text(&app, "password"), text(&database, "password"), text(&key, "secret_access_key")];
        assert_eq!((&app["username"], &app["note"], &app["port"]), (&json!("admin"), &json!("kept"), &json!(3306)));
        assert_eq!(database["engine"], "mysql");
        let stored = text(&key, "access_key_id");
        let keys = self.keys().await;
        assert_eq!(
            (keys.len(), keys.get(&stored), keys.values().filter(|active| **active).count()),
            (2, Some(&true), 1)
        );
        let written = everything(&self.tiny.path("state"));
        assert!(written.contains(&stored), "the journal is among what is read");
        for value in new.iter().map(String::as_str).chain([OLD]) {
            assert!(value.len() >= OLD.len() && !said.contains(value) && !written.contains(value), "{value} is told");
        }
        for (index, value) in new.iter().enumerate() {
            assert!(value != OLD && !new[..index].contains(value), "each has one of its own");
        }
    }
}

/// All that the command has written, in one text.
fn everything(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all += &everything(&path);
        } else {
            all += &String::from_utf8_lossy(&std::fs::read(&path).expect("a file"));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_named_is_rotated_once_and_what_cannot_be_is_told() {
    let site = Site::new().await;
    let before = site.versions().await;
    let (code, listed, said) = site.tiny.lifeboat(&["rotate", "tiny", "--dry-run"]).await;
    assert_eq!(code, Some(0), "{said}");
    for words in [
        "put a new random password into secret tiny/api",
        "rotate secret tiny/rotating, by its rotation",
        "cannot rotate secret tiny/certificate",
        "secret tiny/login: it is a login of a database",
        "by RDS, which manages it",
        "create an access key of user ci, stored in secret tiny/ci",
        "set inactive access key",
    ] {
        assert!(listed.contains(words), "{words}: {listed}");
    }
    assert_eq!((site.versions().await, site.keys().await.len()), (before.clone(), 1), "a dry run changes nothing");

    let (code, said) = site.tiny.words(&[&CONFIRMED[..], &["-vv"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    site.rotated_once(&before, &said).await;
    assert_eq!((site.asked("ModifyDBCluster"), site.asked("CreateAccessKey"), site.asked("PutSecretValue")), (1, 1, 4));
    let run = site.tiny.run();
    let report = site.tiny.report(&run).await;
    for words in [
        "secret tiny/certificate",
        "it was not rotated",
        "presigned URLs",
        "whether cluster logs takes the new password",
    ] {
        assert!(report["not_checked"].to_string().contains(words), "{words}: {report}");
    }
    let (code, said) = site.tiny.words(&["resume", &run]).await;
    assert_ne!(code, Some(4), "{said}");
    assert_eq!(site.asked("PutSecretValue"), 4, "a run that is done rotates nothing again");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_replies_rotate_nothing_twice_and_leave_no_key_that_nobody_has() {
    let site = Site::new().await;
    let before = site.versions().await;
    for (service, operation) in [
        ("secretsmanager", "PutSecretValue"),
        ("secretsmanager", "RotateSecret"),
        ("secretsmanager", "UpdateSecretVersionStage"),
        ("rds", "ModifyDBCluster"),
        ("iam", "CreateAccessKey"),
        ("iam", "UpdateAccessKey"),
    ] {
        site.tiny.proxy.control().add(Pattern::operation(service, operation), Effect::LoseReply { nth: 1 });
    }
    let (code, said) = site.tiny.words(&CONFIRMED).await;
    assert_eq!(code, Some(0), "{said}");
    site.rotated_once(&before, &said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_breaks_off_is_gone_on_with_where_it_stood() {
    let site = Site::new().await;
    let before = site.versions().await;
    let expire = |service: &str, operation: &str| {
        site.tiny.proxy.control().add(Pattern::operation(service, operation), Effect::Expire);
    };
    // Keys are made and cannot be stored; nothing else can be put either.
    expire("secretsmanager", "PutSecretValue");
    let (code, said) = site.tiny.words(&CONFIRMED).await;
    assert_eq!(code, Some(4), "{said}");
    let half = site.keys().await;
    assert!(half.len() == 2 && half.values().all(|active| *active), "{half:?}");
    assert_eq!(site.text("tiny/api").await, OLD);
    let run = site.tiny.run();
    // The cluster has the new password, and everybody still reads the old one; a key is stored, and the old one works.
    site.tiny.proxy.control().clear();
    expire("secretsmanager", "UpdateSecretVersionStage");
    expire("iam", "UpdateAccessKey");
    let (code, said) = site.tiny.words(&["resume", &run]).await;
    assert_eq!(code, Some(4), "{said}");
    assert_eq!((site.json("tiny/db").await["password"].as_str(), site.asked("ModifyDBCluster")), (Some(OLD), 1));
    let stored = site.json("tiny/ci").await["access_key_id"].as_str().expect("a key").to_owned();
    assert!(!half.contains_key(&stored), "what was lost is not what is stored");
    site.tiny.proxy.control().clear();
    let (code, said) = site.tiny.words(&["resume", &run]).await;
    assert_eq!(code, Some(0), "{said}");
    site.rotated_once(&before, &said).await;
    assert_eq!(site.json("tiny/ci").await["access_key_id"], stored.as_str());
}

/// Killed when the effect is there and nobody has heard of it: the first answer is lost, and the same request sent again hangs.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_after_an_effect_goes_on_and_rotates_nothing_twice() {
    for (service, operation) in [
        ("secretsmanager", "PutSecretValue"),
        ("secretsmanager", "RotateSecret"),
        ("secretsmanager", "UpdateSecretVersionStage"),
        ("rds", "ModifyDBCluster"),
        ("iam", "CreateAccessKey"),
        ("iam", "UpdateAccessKey"),
    ] {
        let site = Site::new().await;
        let before = site.versions().await;
        let (control, pattern) = (site.tiny.proxy.control(), || Pattern::operation(service, operation));
        control.add(pattern(), Effect::LoseReply { nth: 1 });
        control.add(pattern(), Effect::Hang);
        let mut rotate = tokio::process::Command::from(site.tiny.command(&CONFIRMED));
        let mut child = rotate.stderr(std::process::Stdio::null()).kill_on_drop(true).spawn().expect("it starts");
        for _ in 0..600 {
            if control.seen(&pattern()) >= 2 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(control.seen(&pattern()) >= 2, "{operation} is asked for");
        child.kill().await.expect("killed");
        control.clear();
        let (code, said) = site.tiny.words(&["resume", &site.tiny.run()]).await;
        assert_eq!(code, Some(0), "{operation}: {said}");
        site.rotated_once(&before, &said).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_rotated_for_now_is_said_before_anything_is_done() {
    let site = Site::new().await;
    let before = site.versions().await;
    let refused = async |block: &str, code: i32, words: &str| {
        site.tiny.write_manifest(block);
        let (found, said) = site.tiny.words(&CONFIRMED).await;
        assert_eq!((found, said.contains(words)), (Some(code), true), "{words}: {said}");
    };
    let secrets = |name: &str| format!("rotation {{\n  secrets = [\"{name}\"]\n}}\n");
    refused("", 2, "has no rotation block").await;
    refused(&format!("approval {{\n}}\n{BLOCK}"), 3, "a rotation by itself has no bundle").await;
    refused(&secrets("tiny/none"), 3, "there is no secret tiny/none in eu-west-2").await;
    refused(&secrets("arn:aws:secretsmanager:us-east-1:123456789012:secret:x-abcdef"), 3, "is in us-east-1, not in")
        .await;
    let replica = ReplicaRegionType::builder().region("us-east-1").build();
    let create = site.secrets.create_secret().name("tiny/copied").secret_string(OLD).add_replica_regions(replica);
    create.send().await.expect("a secret");
    site.tiny.write_manifest(&secrets("tiny/copied"));
    let (code, said) = site.tiny.words(&[&CONFIRMED[..], &["--region", "us-east-1"]].concat()).await;
    assert_eq!((code, said.contains("is a replica of the one in eu-west-2")), (Some(3), true), "{said}");
    site.secret("tiny/gone", OLD).await;
    site.secrets.delete_secret().secret_id("tiny/gone").recovery_window_in_days(7).send().await.expect("a deletion");
    refused(&secrets("tiny/gone"), 3, "secret tiny/gone is to be deleted").await;
    let cluster = |id: &str, secret: &str| format!("rotation {{\n  cluster \"{id}\" {{ secret = \"{secret}\" }}\n}}\n");
    refused(&cluster("none", "tiny/db"), 3, "there is no cluster none").await;
    site.secret("tiny/other", &json!({ "username": "reader", "password": OLD }).to_string()).await;
    refused(&cluster("logs", "tiny/other"), 3, "is not the master user's of cluster logs").await;
    let user = |name: &str, secret: &str| format!("rotation {{\n  user \"{name}\" {{ secret = \"{secret}\" }}\n}}\n");
    refused(&user("moto", "tiny/ci"), 3, "user moto is the caller of lifeboat").await;
    refused(&user("none", "tiny/ci"), 3, "there is no user none").await;
    refused(&user("ci", "tiny/api"), 3, "secret tiny/api is not overwritten").await;
    site.iam.create_access_key().user_name("ci").send().await.expect("a key");
    refused(&user("ci", "tiny/ci"), 3, "IAM makes no third").await;
    // Who has no key that works gets none.
    for key in site.keys().await.into_keys() {
        let update = site.iam.update_access_key().user_name("ci").access_key_id(key);
        update.status("Inactive".into()).send().await.expect("its state");
    }
    let (code, said) = site.tiny.words(&CONFIRMED).await;
    assert_eq!((code, said.contains("the user has no active one")), (Some(0), true), "{said}");
    let now = site.versions().await;
    assert!(before.iter().all(|(name, versions)| now[name] == *versions), "{before:?} {now:?}");
    assert_eq!(site.keys().await.values().filter(|active| **active).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_that_came_meanwhile_and_was_used_is_not_deleted() {
    let site = Site::new().await;
    site.tiny.write_manifest("rotation {\n  user \"ci\" { secret = \"tiny/ci\" }\n}\n");
    site.tiny.proxy.control().add(Pattern::operation("iam", "CreateAccessKey"), Effect::Expire);
    let (code, said) = site.tiny.words(&CONFIRMED).await;
    assert_eq!(code, Some(4), "{said}");
    let key = site.iam.create_access_key().user_name("ci").send().await.expect("a key").access_key.expect("it");
    let own = aws_sdk_s3::config::Credentials::new(key.access_key_id(), key.secret_access_key(), None, None, "ci");
    let config = site.tiny.moto.session(REGION).s3().config().to_builder().credentials_provider(own).build();
    aws_sdk_s3::Client::from_conf(config).list_buckets().send().await.ok();
    site.tiny.proxy.control().clear();
    let (code, said) = site.tiny.words(&["resume", &site.tiny.run()]).await;
    assert_eq!((code, said.contains("has come meanwhile, and was used")), (Some(4), true), "{said}");
    assert!(site.keys().await.contains_key(key.access_key_id()));
}

/// Passes everything on to the emulator, and keeps what each connection has asked.
async fn overheard(upstream: &str) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let upstream = upstream.trim_start_matches("http://").to_owned();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let asked: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (kept, server) = (Arc::clone(&kept), tokio::net::TcpStream::connect(upstream.clone()).await);
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.expect("the emulator").into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await.ok() });
            tokio::spawn(async move {
                let index = {
                    let mut kept = kept.lock().expect("no panic");
                    kept.push(Vec::new());
                    kept.len() - 1
                };
                let mut buffer = vec![0; 65_536];
                while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                    kept.lock().expect("no panic")[index].extend(&buffer[..read]);
                    if to_server.write_all(&buffer[..read]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (url, asked)
}

/// RDS tells nobody a password: what it is given is overheard, and then given to a database.
#[tokio::test(flavor = "multi_thread")]
async fn the_password_that_a_cluster_is_given_is_the_one_in_its_secret_and_a_database_takes_it() {
    let (site, database) = (Site::new().await, MariaDb::start().await);
    site.tiny.write_manifest("rotation {\n  cluster \"logs\" { secret = \"tiny/db\" }\n}\n");
    let (url, asked) = overheard(&site.tiny.moto.endpoint()).await;
    let mut rotate = site.tiny.command(&CONFIRMED);
    rotate.env("AWS_ENDPOINT_URL", &url);
    let (code, said) = command::said(rotate).await;
    assert_eq!(code, Some(0), "{said}");
    let asked: String =
        asked.lock().expect("no panic").iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect();
    let given: Vec<&str> = asked.split("MasterUserPassword=").skip(1).collect();
    let [given] = given.as_slice() else { panic!("it is given {} times", given.len()) };
    let given: String = given.chars().take(32).collect();
    let user =
        |password: &str| format!("CREATE OR REPLACE USER admin@'127.0.0.1' IDENTIFIED BY '{password}' REQUIRE SSL");
    database.execute(&user(OLD)).await;
    let login = Credentials::in_json(&site.text("tiny/db").await).expect("a login");
    assert!(given == login.password, "the secret has another one than the cluster");
    let place = lifeboat::verify::sql::Place { database: None, ..database.place() };
    assert!(Database::connect(&place, &login).await.is_err(), "the secret still has the old one");
    database.execute(&user(&given)).await;
    Database::connect(&place, &login).await.expect("whoever reads the secret gets in").close().await;
}
