//! Bundles of the example: sealed, written, read, damaged, compared and approved.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::journal::{Inputs, UsedTerraform};
use crate::manifest;
use crate::runbook::Runbook;
use crate::scenario;

fn now() -> Timestamp {
    "2026-11-22T03:12:00Z".parse().unwrap()
}

fn subject() -> Subject {
    Subject {
        scenario: "failover".into(),
        environment: "prod".into(),
        service: "streaming-logs".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        workspace: "prod-dr".into(),
        state: None,
        planner: "arn:aws:iam::123456789012:user/planner".into(),
    }
}

fn index() -> Index {
    Index {
        schema_version: SCHEMA_VERSION,
        created_at: now(),
        subject: subject(),
        versions: Versions {
            lifeboat: "0.1.0".into(),
            terraform: Some(Tool { product: "Terraform".into(), version: "1.11.4".into() }),
            providers: BTreeMap::from([("registry.terraform.io/hashicorp/aws".into(), "5.100.0".into())]),
        },
        command: "lifeboat plan failover prod".into(),
        root_sha256: Some("ab".repeat(32)),
        source: None,
        manifest_sha256: "cd".repeat(32),
        inputs: Some(Inputs {
            salt: "00".into(),
            var_files: BTreeMap::from([("terraform.tfvars".into(), "1234".into())]),
            variables: BTreeMap::new(),
            terraform: UsedTerraform {
                path: "/bin/terraform".into(),
                product: "Terraform".into(),
                version: "1.11.4".into(),
            },
            backend: "beef".into(),
        }),
        files: Vec::new(),
    }
}

fn created(address: &str, name: &str) -> Value {
    json!({ "address": address, "mode": "managed", "type": "aws_sqs_queue",
            "change": { "actions": ["create"], "before": null, "after": { "name": name }, "after_unknown": { "arn": true } } })
}

fn sealed(index: Index, changes: &[Value], snapshot: &str) -> Bundle {
    let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
    let runbook = scenario::failover(&manifest::load(&environments, "prod").unwrap());
    let point = json!({ "recovery_point": snapshot, "recovery_point_at": "2026-11-22T03:00:00Z" });
    let points: Vec<Point> = Point::of(&runbook.steps[0].id, &point, now()).into_iter().collect();
    let checks = Checks {
        made: Vec::new(),
        blocked: Vec::new(),
        warnings: Vec::new(),
        in_place: false,
        not_checked: runbook.not_checked.clone(),
    };
    let steps = Steps { runbook, critical_path: Vec::new(), expected_rto: SignedDuration::from_mins(90) };
    let plan = json!({ "format_version": "1.2", "resource_changes": changes });
    let files = BTreeMap::from([
        ("plan.json".to_owned(), plan.to_string().into_bytes()),
        ("lifeboat.hcl".to_owned(), b"service = \"streaming-logs\"\n".to_vec()),
        ("generated/recovery.tfvars".to_owned(), b"a = 1\n".to_vec()),
    ]);
    let parts = Parts { steps: &steps, points: &points, records: &[], checks: &checks, found: None };
    seal(index, files, &parts).unwrap()
}

/// With a teardown that destroys this address, if any.
fn tearing_down(address: Option<&str>) -> Bundle {
    let bundle = example();
    let runbook = scenario::teardown_steps(
        &manifest::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("environments"), "prod").unwrap(),
        &[],
    );
    let steps = Steps { runbook: Runbook { steps: runbook, ..bundle.steps.runbook.clone() }, ..bundle.steps.clone() };
    let mut files = bundle.contents.files.clone();
    if let Some(address) = address {
        let gone = json!({ "address": address, "mode": "managed", "type": "aws_sqs_queue",
                           "change": { "actions": ["delete"], "before": {}, "after": null } });
        let plan = json!({ "format_version": "1.2", "resource_changes": [gone] });
        let what =
            json!({ "destroys": { address: { "type": "aws_sqs_queue", "id": "q", "stateful": true } }, "stays": {} });
        files.insert(TEARDOWN_PLAN.into(), plan.to_string().into_bytes());
        files.insert(TEARDOWN.into(), what.to_string().into_bytes());
    }
    let parts = Parts { steps: &steps, points: &[], records: &[], checks: &bundle.checks, found: None };
    seal(index(), files, &parts).unwrap()
}

#[test]
fn what_is_torn_down_is_sealed_compared_and_answered_for_by_two() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = tearing_down(Some("aws_sqs_queue.a"));
    write(&bundle.contents, &dir.path().join("bundle")).unwrap();
    let again = read(&dir.path().join("bundle")).unwrap();
    let torn_down = again.teardown.as_ref().unwrap();
    assert_eq!((torn_down.plan.counts().destroy, torn_down.what.destroys["aws_sqs_queue.a"].id.as_str()), (1, "q"));
    assert_eq!((again.people(1), example().people(1)), (2, 1));
    assert!(compare(&bundle, &again).is_empty());
    let told = |now: &Bundle| {
        let changes = compare(&bundle, now).changes;
        changes.iter().map(|it| format!("{}: {} → {}", it.what, it.then, it.now)).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told(&tearing_down(Some("aws_sqs_queue.b"))), @r"
    teardown: aws_sqs_queue.a: destroyed (q) → nothing
    teardown: aws_sqs_queue.b: nothing → destroyed (q)
    ");
    assert_eq!(told(&tearing_down(None)), "teardown: aws_sqs_queue.a: destroyed (q) → nothing");
}

fn example() -> Bundle {
    sealed(index(), &[created("aws_sqs_queue.a", "a")], "arn:one")
}

#[test]
fn a_bundle_is_the_same_from_a_folder_and_from_an_archive_and_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = example();
    for name in ["plans/one", "one.tar.zst"] {
        let path = dir.path().join(name);
        write(&bundle.contents, &path).unwrap();
        let again = read(&path).unwrap();
        assert_eq!((&again.sha256, &again.contents), (&bundle.sha256, &bundle.contents));
        assert!(matches!(write(&bundle.contents, &path), Err(WriteError::There(_))), "nothing is written over");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!((mode(&path), mode(&path.join("generated"))), (0o700, 0o700));
            assert_eq!((mode(&path.join("plan.json")), mode(&path.join(INDEX))), (0o600, 0o600));
        } else {
            assert_eq!(mode(&path), 0o600);
        }
    }
    assert_eq!(bundle.adopted().len(), 2);
}

#[test]
fn one_byte_changed_in_any_file_is_told_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bundle");
    let bundle = example();
    write(&bundle.contents, &path).unwrap();
    let names = bundle.index.files.iter().map(|entry| entry.name.as_str());
    for name in names {
        let file = path.join(name);
        let before = fs::read(&file).unwrap();
        let mut bytes = before.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let told = read(&path).unwrap_err().to_string();
        assert!(told.contains(&format!("{name} has been changed since")), "{told}");
        fs::remove_file(&file).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), format!("{name} is missing"));
        fs::write(&file, &before).unwrap();
    }
    fs::write(path.join("more.txt"), "x").unwrap();
    assert_eq!(read(&path).unwrap_err().to_string(), "more.txt does not belong to it");
    fs::remove_file(path.join("more.txt")).unwrap();
    // A changed index is another bundle: nobody has approved it.
    let index = fs::read_to_string(path.join(INDEX)).unwrap();
    fs::write(path.join(INDEX), index.replace("us-east-1", "us-east-2")).unwrap();
    let other = read(&path).unwrap();
    assert_ne!(other.sha256, bundle.sha256);
}

#[test]
fn what_is_no_bundle_and_what_is_newer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(read(&dir.path().join("nowhere")), Err(ReadError::Io { .. })));
    assert!(read(dir.path()).unwrap_err().to_string().contains("it is no bundle"));
    fs::write(dir.path().join("text.tar.zst"), "no archive").unwrap();
    assert!(matches!(read(&dir.path().join("text.tar.zst")), Err(ReadError::Io { .. })));
    for (version, told) in [(json!(2), "schema version 2"), (json!("x"), "no schema_version")] {
        let mut contents = example().contents;
        let mut index: Value = serde_json::from_slice(&contents.index).unwrap();
        index["schema_version"] = version;
        contents.index = index.to_string().into_bytes();
        let refused = open(contents).unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
    }
    let mut contents = example().contents;
    let mut index: Value = serde_json::from_slice(&contents.index).unwrap();
    index["of_a_later_lifeboat"] = json!(1);
    contents.index = index.to_string().into_bytes();
    assert!(open(contents).is_ok(), "what is only more is no harm");
}

#[test]
fn an_archive_that_leads_out_of_itself_is_refused() {
    let bundle = example();
    let archive = |name: &[u8], kind: tar::EntryType| {
        let mut archive = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
        let mut header = tar::Header::new_gnu();
        // The crate itself would refuse to write such a name.
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        if kind == tar::EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_size(0);
        header.set_cksum();
        archive.append(&header, std::io::empty()).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_size(bundle.contents.index.len() as u64);
        archive.append_data(&mut header, INDEX, bundle.contents.index.as_slice()).unwrap();
        archive.into_inner().unwrap().finish().unwrap()
    };
    let regular = tar::EntryType::Regular;
    for (name, kind) in [
        (&b"../evil"[..], regular),
        (b"/etc/evil", regular),
        (b"a/../../b", regular),
        (b"link", tar::EntryType::Symlink),
    ] {
        let refused = unpack(archive(name, kind).as_slice(), Path::new("x.tar.zst"));
        assert!(matches!(refused, Err(ReadError::Unsafe(_))), "{refused:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bundle");
    write(&bundle.contents, &path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", path.join("link")).unwrap();
    assert!(matches!(read(&path), Err(ReadError::Unsafe(_))));
}

#[test]
fn an_archive_that_unpacks_to_more_than_any_bundle_is_refused() {
    let mut archive = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    let size = 3 * 1024 * 1024;
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    archive.append_data(&mut header, "plan.json", std::io::Read::take(std::io::repeat(0), size)).unwrap();
    let packed = archive.into_inner().unwrap().finish().unwrap();
    assert!(packed.len() < 64 * 1024, "a small file");
    assert!(matches!(super::read::unpacked(packed.as_slice(), Path::new("x"), 1024 * 1024), Err(ReadError::TooMuch)));
}

fn told(comparison: &Comparison) -> Vec<String> {
    let all = comparison.sections();
    let all = all.iter().flat_map(|(heading, list)| list.iter().map(move |it| (heading, it)));
    all.map(|(heading, it)| format!("{heading}: {}: {} → {}", it.what, it.then, it.now)).collect()
}

#[test]
fn two_bundles_are_compared_by_what_they_would_do_and_what_they_were_made_of() {
    let then = example();
    let mut later = index();
    later.created_at = now() + SignedDuration::from_mins(5);
    later.subject.planner = "arn:aws:iam::123456789012:user/other".into();
    let same = compare(&then, &sealed(later.clone(), &[created("aws_sqs_queue.a", "a")], "arn:one"));
    assert_eq!(told(&same), [""; 0], "neither time nor planner");
    assert!(same.is_empty());

    later.subject.state = Some(Standing { lineage: "l".into(), serial: 3 });
    let inputs = later.inputs.as_mut().unwrap();
    inputs.var_files.insert("terraform.tfvars".into(), "4321".into());
    inputs.variables.insert("password".into(), "1111".into());
    later.versions.terraform.as_mut().unwrap().version = "1.12.0".into();
    let changes = [created("aws_sqs_queue.a", "b"), created("aws_sqs_queue.c", "c")];
    insta::assert_snapshot!(told(&compare(&then, &sealed(later, &changes, "arn:two"))).join("\n"), @r"
    changes by Terraform: aws_sqs_queue.a: created → created with other name
    changes by Terraform: aws_sqs_queue.c: nothing → created
    recovery points: infrastructure.prepare: arn:one of 2026-11-22T03:00:00Z → arn:two of 2026-11-22T03:00:00Z
    made of: Terraform state: no state yet → lineage l, serial 3
    made of: terraform.tfvars: mark 1234 → mark 4321
    made of: TF_VAR_password: nothing → mark 1111
    made with: Terraform: Terraform 1.11.4 → Terraform 1.12.0
    ");
}

#[test]
fn bundles_without_terraform_are_compared_by_what_the_checks_found() {
    let of = |found: Option<&Found>| {
        let mut index = index();
        (index.versions.terraform, index.inputs, index.root_sha256) = (None, None, None);
        let checks = Checks {
            made: Vec::new(),
            blocked: Vec::new(),
            warnings: Vec::new(),
            in_place: false,
            not_checked: Vec::new(),
        };
        let steps = Steps {
            runbook: example().steps.runbook,
            critical_path: Vec::new(),
            expected_rto: SignedDuration::from_mins(9),
        };
        seal(index, BTreeMap::new(), &Parts { steps: &steps, points: &[], records: &[], checks: &checks, found })
    };
    assert_eq!(of(None).unwrap_err().to_string(), "found.json is missing");
    let found = |facts: Value| Found::from([("recover.bucket.logs".into(), lasting(&facts))]);
    let then = found(json!({ "to_do": 3, "list_sha256": "aa", "warnings": ["old"], "bytes": 4 }));
    let later = found(json!({ "to_do": 3, "list_sha256": "bb", "warnings": ["new"], "bytes": 5 }));
    let (then, later) = (of(Some(&then)).unwrap(), of(Some(&later)).unwrap());
    assert!(then.plan.is_none() && compare(&then, &then).is_empty());
    assert_eq!(told(&compare(&then, &later)), ["found: recover.bucket.logs: list_sha256: \"aa\" → \"bb\""]);
}

#[test]
fn an_approval_is_of_one_bundle_by_another_person_for_a_while_and_for_one_run() {
    let bundle = example();
    let (planner, other) = (bundle.index.subject.planner.as_str(), "arn:aws:sts::123456789012:assumed-role/oncall/bo");
    let expires = now() + SignedDuration::from_hours(1);
    let approval = |by: &str| Approval::new(&bundle.index, &bundle.sha256, by, now(), expires);
    let judge = |it: &Approval, people, at| it.judge(&bundle.index, &bundle.sha256, people, at);
    assert_eq!(judge(&approval(other), 2, now()), Ok(()));
    assert_eq!(judge(&approval(planner), 1, now()), Ok(()));
    assert_eq!(judge(&approval(planner), 2, now()), Err(NotUsable::OnePerson(planner.into())));
    assert_eq!(judge(&approval(other), 2, expires), Err(NotUsable::Expired(expires)));
    let used = Approval { used_by: Some("r1".into()), ..approval(other) };
    assert_eq!(judge(&used, 2, now()), Err(NotUsable::Used("r1".into())));
    let about = |subject| Approval { subject, ..approval(other) };
    let foreign = [
        ("the bundle", Approval { bundle: "00".into(), ..approval(other) }),
        ("the environment", about(Subject { environment: "dev".into(), ..subject() })),
        ("the account", about(Subject { account: "210987654321".into(), ..subject() })),
        ("the region", about(Subject { region: "us-east-2".into(), ..subject() })),
        ("the workspace", about(Subject { workspace: "prod".into(), ..subject() })),
        ("the planner", about(Subject { planner: other.into(), ..subject() })),
        (
            "the state's lineage or serial",
            about(Subject { state: Some(Standing { lineage: "l".into(), serial: 1 }), ..subject() }),
        ),
    ];
    for (what, approval) in foreign {
        assert_eq!(judge(&approval, 2, now()), Err(NotUsable::Other(what)));
    }
    let newer = Approval { schema_version: 2, ..approval(other) };
    assert_eq!(judge(&newer, 2, now()), Err(NotUsable::Version(2)));
}
