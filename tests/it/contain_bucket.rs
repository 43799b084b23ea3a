//! Buckets closed and opened again, with the command as the operator uses it, against the emulator. It refuses objects by a
//! bucket's policy, but reads no condition of it: that the break-glass principals still get in only AWS shows.

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, PublicAccessBlockConfiguration};
use serde_json::{Value, json};

use crate::contain_world::{CALLER, REGION, World, block, user};

/// As somebody has written it by hand.
const THEIRS: &str = r#"{ "Statement":{"Sid":"Read","Effect":"Allow","Principal":{"AWS":"*"},"Action":["s3:GetObject"],"Resource":"arn:aws:s3:::uploads/*"},
 "Version":"2008-10-17"}"#;

/// Everything about a bucket that a containment could touch.
#[derive(Debug, PartialEq)]
struct Seen {
    policy: Option<String>,
    public_access: Option<[bool; 4]>,
    readable: bool,
}

async fn make(world: &World, bucket: &str) {
    let place =
        CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(REGION)).build();
    let create = world.aws.s3().create_bucket().bucket(bucket).create_bucket_configuration(place);
    create.send().await.expect("a bucket");
}

async fn block_public(world: &World, bucket: &str, how: [bool; 4]) {
    let [acls, ignore, policy, restrict] = how;
    let how = PublicAccessBlockConfiguration::builder()
        .block_public_acls(acls)
        .ignore_public_acls(ignore)
        .block_public_policy(policy)
        .restrict_public_buckets(restrict)
        .build();
    let put = world.aws.s3().put_public_access_block().bucket(bucket).public_access_block_configuration(how);
    put.send().await.expect("its public access");
}

async fn uploads() -> World {
    let world = World::new().await;
    make(&world, "uploads").await;
    let s3 = world.aws.s3();
    s3.put_object().bucket("uploads").key("a").body(b"a".to_vec().into()).send().await.expect("an object");
    s3.put_bucket_policy().bucket("uploads").policy(THEIRS).send().await.expect("a policy");
    block_public(&world, "uploads", [true, false, false, true]).await;
    world
}

async fn seen(world: &World, bucket: &str) -> Seen {
    let s3 = world.aws.s3();
    let policy = s3.get_bucket_policy().bucket(bucket).send().await.ok().and_then(|it| it.policy);
    let access = s3.get_public_access_block().bucket(bucket).send().await.ok();
    let public_access = access.and_then(|it| it.public_access_block_configuration).map(|it| {
        [it.block_public_acls, it.ignore_public_acls, it.block_public_policy, it.restrict_public_buckets]
            .map(Option::unwrap_or_default)
    });
    let readable = s3.get_object().bucket(bucket).key("a").send().await.is_ok();
    Seen { policy, public_access, readable }
}

fn is_closed(seen: &Seen, except: &[&str]) {
    let policy: Value = serde_json::from_str(seen.policy.as_deref().expect("a policy")).expect("JSON");
    assert_eq!(policy["Statement"][0]["Sid"], "Read", "theirs is kept");
    let except: Vec<String> = except.iter().map(|name| user(name)).collect();
    let ours = json!({
        "Sid": "LifeboatContained", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::uploads", "arn:aws:s3:::uploads/*"],
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": except}},
    });
    assert_eq!((&policy["Statement"][1], policy["Statement"].as_array().map(Vec::len)), (&ours, Some(2)));
    assert_eq!((seen.public_access, seen.readable), (Some([true; 4]), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_closed_to_all_but_some_and_is_as_it_was_to_the_byte_afterwards() {
    let world = uploads().await;
    world.aws.iam().create_user().user_name("forensics").send().await.expect("a user");
    let named = format!("  buckets = [\"uploads\"]\n  investigators = [\"{}\"]\n", user("forensics"));
    world.tiny.write_manifest(&block(&named));
    let before = seen(&world, "uploads").await;
    assert_eq!((before.policy.as_deref(), before.readable), (Some(THEIRS), true));
    let listed = world.dry_run(&[]).await;
    for words in [r#""aws:PrincipalArn":["#, "put bucket policy", r#""block_public_policy":true"#, r#""Sid":"Read""#] {
        assert!(listed.contains(words), "{words}: {listed}");
    }
    assert_eq!((seen(&world, "uploads").await, world.changes()), (before, 0), "a dry run changes nothing");
    let before = seen(&world, "uploads").await;

    let (code, said) = world.contain(&[]).await;
    assert_eq!(code, Some(0), "{said}");
    is_closed(&seen(&world, "uploads").await, &["forensics", CALLER]);
    let (run, changes) = (world.last_run(), world.changes());
    let (code, said) = world.contain(&[]).await;
    assert_eq!((code, world.changes()), (Some(0), changes), "closed twice is closed once: {said}");
    world.refused(&["--undo", &world.last_run()], 3, "has contained nothing").await;

    let (code, said) = world.undo(&run).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(seen(&world, "uploads").await, before);
    let changes = world.changes();
    let (code, said) = world.undo(&run).await;
    assert_eq!((code, world.changes()), (Some(0), changes), "a second time changes nothing: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_half_closed_by_a_process_that_died_is_closed_and_opened_to_what_was_there_before_it() {
    let world = uploads().await;
    // Where nothing was set before, nothing is afterwards.
    world.aws.s3().delete_public_access_block().bucket("uploads").send().await.expect("no block");
    let before = seen(&world, "uploads").await;
    world.killed(&["--bucket", "uploads"], "PutBucketPolicy", 1).await;
    let half = seen(&world, "uploads").await;
    assert_eq!((half.policy == before.policy, half.public_access), (false, None), "{half:?}");
    let (code, said) = world.resume().await;
    assert_eq!(code, Some(0), "{said}");
    is_closed(&seen(&world, "uploads").await, &[CALLER]);
    let (code, said) = world.undo(&world.last_run()).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(seen(&world, "uploads").await, before, "what it had done itself is not taken for what was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_was_made_anew_since_is_none_of_ours_to_open() {
    let world = uploads().await;
    world.aws.s3().delete_public_access_block().bucket("uploads").send().await.expect("no block");
    let (code, said) = world.contain(&["--bucket", "uploads"]).await;
    assert_eq!(code, Some(0), "{said}");
    let run = world.last_run();
    let s3 = world.aws.s3();
    s3.delete_bucket_policy().bucket("uploads").send().await.expect("no policy");
    s3.delete_object().bucket("uploads").key("a").send().await.expect("no object");
    s3.delete_bucket().bucket("uploads").send().await.expect("no bucket");
    let changes = world.changes();
    let (code, said) = world.undo(&run).await;
    assert_eq!((code, said.contains("bucket uploads is gone")), (Some(0), true), "{said}");
    make(&world, "uploads").await;
    block_public(&world, "uploads", [true; 4]).await;
    let anew = seen(&world, "uploads").await;
    let (code, said) = world.undo(&run).await;
    assert_eq!((code, said.contains("no statement of lifeboat's any more")), (Some(0), true), "{said}");
    assert_eq!((seen(&world, "uploads").await, world.changes()), (anew, changes), "its public access stays blocked");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bucket_is_closed_to_those_who_have_to_open_it_again() {
    let world = uploads().await;
    let before = seen(&world, "uploads").await;
    let iam = world.aws.iam();
    for (name, path) in [("other", "/"), ("pathed", "/team/")] {
        iam.create_user().user_name(name).path(path).send().await.expect("a user");
    }
    world.refused(&["--bucket", "state"], 3, "bucket state is not closed: Terraform's state, the lease").await;
    world.refused(&["--bucket", "away"], 3, "bucket away is not closed: Terraform's state is in it").await;
    world.refused(&["--bucket", "no-such-bucket"], 3, "there is no bucket no-such-bucket").await;
    world.refused(&["--bucket", "No_Bucket"], 2, "only small letters").await;
    let glass = |arn: &str, more: &str| {
        world.tiny.write_manifest(&format!("containment {{\n  break_glass = [\"{arn}\"]\n{more}}}\n"))
    };
    glass(&user("other"), "");
    world.refused(&["--bucket", "uploads"], 3, "would be closed to the caller of lifeboat").await;
    glass(&user("pathed"), "");
    let words = format!("a break-glass principal is {}, not {}", user("team/pathed"), user("pathed"));
    world.refused(&["--bucket", "uploads"], 3, &words).await;
    glass(&user("other"), &format!("  investigators = [\"{}\"]\n", user("nobody")));
    world.refused(&["--bucket", "uploads"], 3, "an investigator does not exist").await;
    world.tiny.write_manifest(&format!("{}evidence {{\n  bucket = \"kept\"\n}}\n", block("  buckets = [\"kept\"]\n")));
    world.refused(&[], 2, "bucket kept is not closed: the evidence is kept in it").await;
    assert_eq!((seen(&world, "uploads").await, world.changes()), (before, 0));
    // An investigator is enough, and so is a bucket's own region.
    glass(&user("other"), &format!("  investigators = [\"{}\"]\n", user(CALLER)));
    world.tiny.moto.session("us-east-1").s3().create_bucket().bucket("far").send().await.expect("a bucket");
    let (code, said) = world.contain(&["--bucket", "uploads", "--bucket", "far"]).await;
    assert_eq!(code, Some(0), "{said}");
    is_closed(&seen(&world, "uploads").await, &[CALLER, "other"]);
}
