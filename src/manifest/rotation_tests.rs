//! What a `rotation` block may say.

use super::fixtures::{refused, valid};
use crate::manifest::RotationRule;
use crate::rotation::{KeyRotation, MasterRotation};

#[test]
fn what_is_rotated_is_named_once_each() {
    let text =
        "rotation {\n  secrets = [\"a/b\"]\n  cluster \"logs\" {\n  }\n  user \"ci\" {\n    secret = \"c\"\n  }\n}\n";
    let rule = RotationRule {
        secrets: vec!["a/b".into()],
        clusters: vec![MasterRotation { cluster: "logs".into(), secret: None }],
        users: vec![KeyRotation { user: "ci".into(), secret: "c".into() }],
    };
    assert_eq!(valid(text).rotation, Some(rule));
    assert_eq!(valid("").rotation, None);
    let arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:a-XXXXXX";
    for (text, words) in [
        ("rotation {\n}\n", "rotates nothing"),
        ("rotation \"a\" {\n  secrets = [\"a\"]\n}\n", "write rotation { … }"),
        ("rotation {\n  secrets = [\"a b\"]\n}\n", "is not a secret's name or ARN"),
        ("rotation {\n  secrets = [\"a\", \"a\"]\n}\n", "secret `a` is rotated twice"),
        (&format!("rotation {{\n  secrets = [\"a\", \"{arn}\"]\n}}\n"), "is rotated twice"),
        (
            "rotation {\n  secrets = [\"a\"]\n  user \"ci\" {\n    secret = \"a\"\n  }\n}\n",
            "secret `a` is rotated twice",
        ),
        ("rotation {\n  user \"ci\" {\n  }\n}\n", "`secret` is missing"),
        ("rotation {\n  user \"a/b\" {\n    secret = \"a\"\n  }\n}\n", "without a path"),
        ("rotation {\n  cluster \"Logs\" {\n  }\n}\n", "`Logs` is not a DB cluster identifier"),
        (
            "containment {\n  break_glass = [\"arn:aws:iam::123456789012:role/b\"]\n  users = [\"ci\"]\n}\n\
             rotation {\n  user \"ci\" {\n    secret = \"a\"\n  }\n}\n",
            "is shut out by the containment block",
        ),
    ] {
        let said = refused(text);
        assert!(said.contains(words) && said.ends_with("\n1 problem\n"), "{text}\nshould say {words:?}, says\n{said}");
    }
}
