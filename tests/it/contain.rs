//! Users and roles shut out and let in again, with the command as the operator uses it, against the emulator's IAM. It checks
//! identity policies when told to, but none of their conditions: that a session is refused by its time only AWS shows.

use std::collections::BTreeMap;

use aws_sdk_s3::config::Credentials;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lifeboat::rehearse::proxy::read_records;
use lifeboat::rehearse::proxy::{Effect, Pattern};
use serde_json::{Value, json};

use crate::harness::ACCOUNT;
use crate::state_custody::Tiny;

const POLICY: &str = "lifeboat-contained";
const CALLER: &str = "moto";

struct Site {
    tiny: Tiny,
    iam: aws_sdk_iam::Client,
}

/// Everything about a user and a role that a containment could touch.
#[derive(Debug, PartialEq)]
struct Identities {
    keys: BTreeMap<String, String>,
    policies: Vec<(String, String)>,
    role_policies: Vec<(String, String)>,
    trust: Value,
}

fn block(more: &str) -> String {
    format!("containment {{\n  break_glass = [\"arn:aws:iam::{ACCOUNT}:user/{CALLER}\"]\n{more}}}\n")
}

fn trust(principal: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"},
    ]})
    .to_string()
}

impl Site {
    async fn new() -> Self {
        let tiny = Tiny::with_root("").await;
        let iam = tiny.moto.session("us-east-1").iam();
        for user in [CALLER, "mallory"] {
            iam.create_user().user_name(user).send().await.expect("a user");
        }
        for status in ["Active", "Inactive"] {
            let key = iam.create_access_key().user_name("mallory").send().await.expect("a key").access_key.expect("it");
            let update = iam.update_access_key().user_name("mallory").access_key_id(key.access_key_id());
            update.status(status.into()).send().await.expect("its state");
        }
        let put = iam.put_user_policy().user_name("mallory").policy_name("own");
        put.policy_document(allow_s3()).send().await.expect("a policy");
        let trusted = trust(&format!("arn:aws:iam::{ACCOUNT}:root"));
        let role = iam.create_role().role_name("app").assume_role_policy_document(trusted);
        role.send().await.expect("a role");
        tiny.write_manifest(&block("  users = [\"mallory\"]\n  roles = [\"app\"]\n  narrow_trust = true\n"));
        Self { tiny, iam }
    }

    async fn seen(&self) -> Identities {
        let keys = self.iam.list_access_keys().user_name("mallory").send().await.expect("keys");
        let keys = keys
            .access_key_metadata()
            .iter()
            .map(|key| (key.access_key_id().unwrap().to_owned(), key.status().unwrap().as_str().to_owned()));
        let mut policies = Vec::new();
        for name in self.iam.list_user_policies().user_name("mallory").send().await.expect("policies").policy_names() {
            let policy = self.iam.get_user_policy().user_name("mallory").policy_name(name).send().await.expect("it");
            policies.push((name.clone(), policy.policy_document().to_owned()));
        }
        policies.sort();
        let mut role_policies = Vec::new();
        for name in self.iam.list_role_policies().role_name("app").send().await.expect("policies").policy_names() {
            let policy = self.iam.get_role_policy().role_name("app").policy_name(name).send().await.expect("it");
            role_policies.push((name.clone(), policy.policy_document().to_owned()));
        }
        let role = lifeboat::aws::iam::role(&self.tiny.moto.session("us-east-1"), "app").await.expect("IAM");
        let trust = serde_json::from_str(&role.expect("a role").trust).expect("JSON");
        Identities { keys: keys.collect(), policies, role_policies, trust }
    }

    async fn contain(&self, more: &[&str]) -> (Option<i32>, String) {
        self.tiny.words(&[&["contain", "tiny"], more].concat()).await
    }

    fn runs(&self) -> Vec<String> {
        let runs = crate::command::runs(&self.tiny.home().join("state"));
        runs.iter().map(|run| run.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    /// Requests that changed something in IAM.
    fn changes(&self) -> Vec<String> {
        let requests = read_records(&self.tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
        let iam = requests.into_iter().filter(|it| it.service == "iam").map(|it| it.operation);
        iam.filter(|it| !it.starts_with("Get") && !it.starts_with("List")).collect()
    }
}

fn allow_s3() -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}).to_string()
}

const CONFIRMED: [&str; 2] = ["--confirm", "tiny"];

#[tokio::test(flavor = "multi_thread")]
async fn users_and_roles_are_shut_out_and_let_in_again_to_the_byte() {
    let site = Site::new().await;
    let before = site.seen().await;
    let (code, listed, said) = site.tiny.lifeboat(&["contain", "tiny", "--dry-run"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(listed.contains(r#""Action":"*","Effect":"Deny","Resource":"*""#), "{listed}");
    assert!(listed.contains("aws:TokenIssueTime") && listed.contains("sts:AssumeRoleWithWebIdentity"), "{listed}");
    assert_eq!((site.seen().await, site.changes().len()), (before, 0), "a dry run changes nothing");
    let before = site.seen().await;

    let (code, said) = site.contain(&CONFIRMED).await;
    assert_eq!(code, Some(0), "{said}");
    let shut = site.seen().await;
    assert!(shut.keys.values().all(|status| status == "Inactive"), "{shut:?}");
    assert_eq!(shut.policies.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [POLICY, "own"]);
    assert_eq!(shut.role_policies.len(), 1, "{shut:?}");
    assert_eq!(
        shut.trust["Statement"][1]["Condition"]["ArnNotEquals"]["aws:PrincipalArn"],
        json!([format!("arn:aws:iam::{ACCOUNT}:user/{CALLER}")])
    );

    let run = site.runs()[0].clone();
    let report = site.tiny.report(&run).await;
    assert!(report.to_string().contains("sessions of roles that user mallory has begun"), "{report}");
    let (code, said) = site.contain(&["--undo", &run, "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(site.seen().await, before);
    let changes = site.changes().len();
    let (code, said) = site.contain(&["--undo", &run, "--confirm", "tiny"]).await;
    assert_eq!((code, site.changes().len()), (Some(0), changes), "a second time changes nothing: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_containment_that_breaks_off_is_gone_on_with_and_undone_to_what_was_there_before_it() {
    let site = Site::new().await;
    let before = site.seen().await;
    for operation in ["UpdateAccessKey", "UpdateAssumeRolePolicy"] {
        site.tiny.proxy.control().add(Pattern::operation("iam", operation), Effect::Expire);
    }
    let (code, said) = site.contain(&CONFIRMED).await;
    assert_eq!(code, Some(4), "{said}");
    let half = site.seen().await;
    assert!(half.policies.len() == 2 && half.keys == before.keys && half.trust == before.trust, "{half:?}");
    site.tiny.proxy.control().clear();
    let run = site.runs()[0].clone();
    // It comes after a second, in which a new document would have another time.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let (code, said) = site.tiny.words(&["resume", &run]).await;
    assert_eq!(code, Some(0), "{said}");
    let shut = site.seen().await;
    assert!(shut.keys.values().all(|status| status == "Inactive"), "{shut:?}");
    assert_eq!(shut.role_policies, half.role_policies, "the same document");
    let (code, said) = site.contain(&["--undo", &run, "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(site.seen().await, before, "what it had done itself is not taken for what was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_shut_out_who_has_to_work_on_this() {
    let site = Site::new().await;
    let before = site.seen().await;
    let refused = async |more: &[&str], code: i32, words: &str| {
        let (found, said) = site.contain(&[more, &CONFIRMED].concat()).await;
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(words), "{words}: {said}");
    };
    refused(&["--user", CALLER], 3, "user moto is a break-glass principal").await;
    refused(&["--user", "nobody"], 3, "there is no user nobody").await;
    refused(&["--user", "a/b"], 2, "without a path").await;
    let trusted = trust(&format!("arn:aws:iam::{ACCOUNT}:user/mallory"));
    let role = site.iam.create_role().role_name("glass").assume_role_policy_document(trusted);
    role.send().await.expect("a role");
    let glass = |name: &str| format!("containment {{\n  break_glass = [\"arn:aws:iam::{ACCOUNT}:role/{name}\"]\n}}\n");
    site.tiny.write_manifest(&glass("glass"));
    refused(&["--user", "mallory"], 3, "user mallory is how a break-glass principal is reached").await;
    refused(&["--user", CALLER], 3, "user moto is the caller of lifeboat").await;
    refused(&["--role", "glass"], 3, "role glass is a break-glass principal").await;
    refused(&[], 2, "nobody and nothing is named to be contained").await;
    site.tiny.write_manifest(&glass("no-such"));
    refused(&["--user", "mallory"], 3, "a break-glass principal does not exist").await;
    site.tiny.write_manifest("");
    refused(&["--user", "mallory"], 2, "has no containment block").await;
    site.tiny.write_manifest(&format!("approval {{\n}}\n{}", block("")));
    refused(&["--user", "mallory"], 3, "a containment has no bundle").await;
    assert_eq!((site.seen().await, site.changes().len(), site.runs().len()), (before, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_linked_to_a_service_is_named_and_left_alone() {
    let site = Site::new().await;
    let linked = site.iam.create_role().role_name("linked").path("/aws-service-role/x.amazonaws.com/");
    linked.assume_role_policy_document(trust(&format!("arn:aws:iam::{ACCOUNT}:root"))).send().await.expect("a role");
    let (code, said) = site.contain(&["--role", "linked", "--confirm", "tiny"]).await;
    assert_eq!((code, site.changes().len()), (Some(0), 0), "{said}");
    assert!(said.contains("role linked is linked to a service and is left alone"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_policy_of_the_same_name_is_not_overwritten() {
    let site = Site::new().await;
    let put = site.iam.put_user_policy().user_name("mallory").policy_name(POLICY);
    put.policy_document(allow_s3()).send().await.expect("a policy");
    let (code, said) = site.contain(&CONFIRMED).await;
    assert_eq!((code, site.changes().len()), (Some(3), 0), "{said}");
    assert!(said.contains("has another inline policy lifeboat-contained"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_password_goes_and_the_undo_says_that_it_has_to_be_set_anew() {
    let site = Site::new().await;
    let create = site.iam.create_login_profile().user_name("mallory").password("Corr3ct horse!");
    create.send().await.expect("a password");
    let (code, said) = site.contain(&["--user", "mallory", "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(site.iam.get_login_profile().user_name("mallory").send().await.is_err());
    let run = site.runs()[0].clone();
    let (code, said) = site.contain(&["--undo", &run, "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("create-login-profile --user-name mallory"), "{said}");
}

/// Switches the emulator's authentication on or off.
pub async fn authenticates(endpoint: &str, on: bool) {
    let request = hyper::Request::post(format!("{endpoint}/moto-api/reset-auth"));
    let request = request.body(Full::from(Bytes::from_static(if on { b"0" } else { b"inf" }))).expect("a request");
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    assert!(client.request(request).await.expect("an answer").status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contained_key_is_denied_what_it_could_do_and_may_again_after_the_release() {
    let site = Site::new().await;
    let endpoint = site.tiny.moto.endpoint();
    site.iam.create_user().user_name("eve").send().await.expect("a user");
    let put = site.iam.put_user_policy().user_name("eve").policy_name("own").policy_document(allow_s3());
    put.send().await.expect("a policy");
    let key = site.iam.create_access_key().user_name("eve").send().await.expect("a key").access_key.expect("it");
    let own = Credentials::new(key.access_key_id(), key.secret_access_key(), None, None, "eve");
    let config = site.tiny.moto.session("us-east-1").s3().config().to_builder().credentials_provider(own).build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    let asks = async || {
        authenticates(&endpoint, true).await;
        let answer = s3.list_buckets().send().await.map_err(lifeboat::aws::explain("s3:ListAllMyBuckets"));
        authenticates(&endpoint, false).await;
        answer.map(drop).map_err(|error| error.code.unwrap_or_default())
    };
    assert_eq!(asks().await, Ok(()));
    let (code, said) = site.contain(&["--user", "eve", "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(asks().await, Err("AccessDenied".to_owned()));
    let run = site.runs().pop().expect("a run");
    let (code, said) = site.contain(&["--undo", &run, "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(asks().await, Ok(()));
}
