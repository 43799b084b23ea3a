//! A bucket taken back with input that nobody would wish for, and what is expected of it afterwards; with the command as the
//! operator uses it, against the emulator's versions.

use serde_json::Value;

use crate::recover_bucket::{CONFIRMED, Site};

/// A file of the longest name that S3 takes, in bytes of UTF-8 (S3 User Guide: "Naming Amazon S3 objects").
pub fn longest_key() -> String {
    let key = format!("{}/{}", "\u{1f600}".repeat(200), "x".repeat(223));
    assert_eq!(key.len(), 1024);
    key
}

/// Of line breaks, and of a slash at the beginning, the emulator's own router knows nothing: `bucket_faults` has them.
pub fn odd_keys() -> Vec<String> {
    let odd = ["tab\t", "a+b c", "100%25", "a//b", "up/../down", "a/./b", "ü\u{301}"];
    odd.iter().map(|key| (*key).to_owned()).chain([longest_key()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_any_characters_and_1024_bytes_are_taken_back_and_hidden() {
    let site = Site::new().await;
    for key in odd_keys() {
        site.put(&key, "then", "then").await;
    }
    let to = site.later().await;
    let then = site.seen().await;
    for key in odd_keys() {
        site.delete(&key).await;
        let new: String = key.chars().skip(1).chain(['+']).collect();
        site.put(&new, "now", "now").await;
    }
    site.later().await;
    let (code, listed, said) = site.recover(&to, &["--dry-run"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(listed.lines().count(), 2 * odd_keys().len(), "a key is one line whatever it holds: {listed}");
    let (code, _, said) = site.recover(&to, &CONFIRMED).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(site.seen().await, then);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_bucket_is_as_it_was_unless_more_was_expected() {
    let site = Site::new().await;
    let to = site.later().await;
    let (code, listed, said) = site.recover(&to, &["--dry-run"]).await;
    assert_eq!((code, listed.as_str(), said.contains("0 of 0 keys")), (Some(0), "", true), "{said}");
    let (code, _, said) = site.recover(&to, &CONFIRMED).await;
    assert_eq!((code, said.contains("all of 0 keys")), (Some(0), true), "{said}");
    let (code, said) = site.words(&to, &[&CONFIRMED[..], &["--expect", "objects >= 1"]].concat()).await;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("is as it was at") && said.contains("nothing was changed"), "{said}");
    assert!(said.contains("logs: objects >= 1 was expected, found 0"), "{said}");
    assert!(said.contains("look with another --to"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_before_everything_is_asked_about_before_all_is_hidden() {
    let site = Site::new().await;
    site.put("a", "x", "x").await;
    let (code, said) = site.words("2001-01-01T00:00:00Z", &[]).await;
    assert_eq!(code, Some(2), "nobody has said yes: {said}");
    assert!(said.contains("nothing stood in logs at 2001-01-01T00:00:00Z: all of it would be hidden"), "{said}");
    let (code, said) = site.words("2001-01-01T00:00:00Z", &["--dry-run", "--expect", "objects >= 1"]).await;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("logs would not be as expected; nothing was changed"), "{said}");
    assert!(said.contains("objects >= 1 was expected, found 0"), "{said}");
    assert_eq!(site.versions().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_current_afterwards_is_what_is_judged() {
    let site = Site::new().await;
    for (key, content) in [("a/1", "then"), ("a/2", ""), ("b/1", "another prefix")] {
        site.put(key, content, "then").await;
    }
    let to = site.later().await;
    site.put("a/1", "longer than it was", "now").await;
    site.put("a/3", "was not there", "now").await;
    site.delete("a/2").await;
    site.later().await;
    let before = site.versions().await;

    let expect = ["--prefix", "a/", "--expect", "objects == 2", "--expect", "bytes == 4"];
    let (code, said) = site.words(&to, &[&expect[..], &["--dry-run"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 objects of 4 bytes would be current afterwards, as expected"), "{said}");
    assert_eq!(site.versions().await, before);

    // What does not hold is said before anybody says yes, and once it is done.
    let short = ["--prefix", "a/", "--expect", "objects >= 3", "--expect", "bytes >= 1", "--confirm", "tiny"];
    let (code, said) = site.words(&to, &short).await;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("2 objects of 4 bytes would be current afterwards, which is not as expected"), "{said}");
    assert!(said.contains("logs under a/: objects >= 3 was expected, found 2"), "{said}");
    assert!(!said.contains("bytes >= 1 was expected"), "that one holds: {said}");
    let run = site.tiny.run();
    let journal =
        std::fs::read_to_string(site.tiny.path(&format!("state/runs/{run}/journal.jsonl"))).expect("a journal");
    assert!(journal.contains("\"expect\":[{"), "a resumed run asks the same");
    let (code, _, said) = site.tiny.lifeboat(&["resume", &run, "--retry", "verify.bucket.logs"]).await;
    assert_eq!((code, said.contains("objects >= 3 was expected, found 2")), (Some(5), true), "{said}");
    let (code, _, said) = site.tiny.lifeboat(&["resume", &run, "--abandon", "--because", "that was tried"]).await;
    assert_eq!(code, Some(0), "{said}");

    let (code, said) = site.words(&to, &[&expect[..], &CONFIRMED].concat()).await;
    assert_eq!((code, said.contains("is as it was at")), (Some(0), true), "{said}");
    let (code, said) = site.words(&to, &short).await;
    assert_eq!((code, said.contains("already, but not as expected")), (Some(5), true), "{said}");
    for (expectation, words) in [("items >= 1", "known: objects, bytes"), ("objekts >= 1", "did you mean objects?")] {
        let (code, said) = site.words(&to, &["--expect", expectation]).await;
        assert_eq!((code, said.contains(words)), (Some(2), true), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_proven_and_told_with_what_is_current() {
    let site = Site::new().await;
    for key in ["a", "b"] {
        site.put(key, "then", "then").await;
    }
    let to = site.later().await;
    site.delete("a").await;
    site.later().await;
    let (code, said) = site.words(&to, &[&CONFIRMED[..], &["--expect", "objects == 2"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    let run = site.tiny.run();
    let journal =
        std::fs::read_to_string(site.tiny.path(&format!("state/runs/{run}/journal.jsonl"))).expect("a journal");
    let lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON").to_string());
    let proof = lines.filter(|line| line.contains("\"expected\":[\"objects == 2\"]")).collect::<Vec<_>>().join("\n");
    assert!(proof.contains("\"objects\":2") && proof.contains("\"bytes\":8"), "{proof}");
}
