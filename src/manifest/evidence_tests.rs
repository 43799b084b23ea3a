//! What an `evidence` block may say.

use super::fixtures::valid;
use super::rules::each_refused;

#[test]
fn evidence_names_a_bucket_that_is_not_the_services_own() {
    let evidence = |more: &str| format!("evidence {{\n  bucket = \"kept\"\n{more}}}\n");
    let bucket = "bucket \"logs\" {\n  source = \"kept\"\n  target = \"logs-dr\"\n}\n";
    each_refused(&[
        ("evidence {\n  window = \"24h\"\n}\n", "`bucket` is missing in evidence"),
        ("evidence {\n  bucket = \"Kept\"\n}\n", "is not a bucket name"),
        (&evidence("  window = \"2161h\"\n"), "CloudTrail's event history holds 90 days"),
        (&evidence("  window = \"0s\"\n"), "a timeout of nothing"),
        (&evidence("  role = \"arn:aws:iam::1:user/a\"\n"), "is not the ARN of an IAM role"),
        (&evidence("  prefix = \"a/\"\n"), "is not an object key"),
        (&evidence("  log_groups = [\"a b\"]\n"), "is not the name of a log group"),
        (&evidence("  retain_days = 0\n"), "a whole number from 1 to 36500"),
        (&evidence("  retain_mode = compliance\n"), "write retain_days = 365"),
        (&evidence("  retain_days = 1\n  retain_mode = forever\n"), "write governance or compliance"),
        (&evidence("  log_group = []\n"), "did you mean `log_groups`?"),
        (
            &evidence("  region = \"eu-west-1\"\n  log_groups = [\"a\"]\n"),
            "cannot be exported to a bucket in eu-west-1",
        ),
        (&evidence("  buckets = [\"kept\"]\n"), "`kept` is a bucket of the service"),
        (&format!("{bucket}{}", evidence("")), "`kept` is a bucket of the service"),
        (&evidence("").repeat(2), "there are two evidence blocks"),
    ]);
    assert_eq!(valid("").evidence, None);
    let rule = valid(&evidence("  prefix = \"a/b\"\n  region = \"eu-west-1\"\n  retain_days = 7\n")).evidence.unwrap();
    assert_eq!((rule.prefix.as_str(), rule.window.as_hours(), rule.retention.map(|it| it.days)), ("a/b/", 72, Some(7)));
    assert_eq!(rule.place("eu-west-2").region, "eu-west-1");
    assert_eq!(valid(&evidence("")).evidence.unwrap().place("eu-west-2").under("r1"), "r1/");
}
