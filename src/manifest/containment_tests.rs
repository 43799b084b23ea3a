//! The rules of the `containment` block.

use super::fixtures::valid;
use super::rules::each_refused;

#[test]
fn a_containment_names_who_is_never_shut_out() {
    let glass = "break_glass = [\"arn:aws:iam::123456789012:role/glass\"]";
    each_refused(&[
        ("containment {\n  users = [\"a\"]\n}\n", "`break_glass` is missing in containment"),
        ("containment {\n  break_glass = []\n}\n", "nobody breaks the glass"),
        (
            "containment {\n  break_glass = [\"arn:aws:iam::123456789012:role/*\"]\n}\n",
            "it looks like arn:aws:iam::ACCOUNT",
        ),
        (
            "containment {\n  break_glass = [\"arn:aws:iam::123456789012:root\"]\n}\n",
            "is not the ARN of an IAM user or role",
        ),
        (&format!("containment {{\n  {glass}\n  users = [\"a/b\"]\n}}\n"), "without a path"),
        (&format!("containment {{\n  {glass}\n  user = [\"a\"]\n}}\n"), "did you mean `users`?"),
        (
            &format!("containment {{\n  {glass}\n}}\ncontainment {{\n  {glass}\n}}\n"),
            "there are two containment blocks",
        ),
    ]);
    assert_eq!(valid("").containment, None);
    let rule = valid(&format!("containment {{\n  {glass}\n  roles = [\"app\"]\n}}\n")).containment.unwrap();
    assert_eq!((rule.break_glass.len(), rule.roles.as_slice(), rule.narrow_trust), (1, &["app".to_owned()][..], false));
}

#[test]
fn what_is_contained_is_named_as_aws_does() {
    let glass = "break_glass = [\"arn:aws:iam::123456789012:role/glass\"]";
    let containing = |more: &str| format!("containment {{\n  {glass}\n  {more}\n}}\n");
    let vpcs = "\n  vpcs = [\"vpc-0123456789abcdef0\"]";
    let at = |address: &str| containing(&format!("addresses = [\"{address}\"]{vpcs}"));
    let ip_set =
        |account: &str| containing(&format!("ip_sets = [\"arn:aws:wafv2:eu-west-2:{account}:regional/ipset/a/b\"]"));
    each_refused(&[
        (&at("0.0.0.0/0"), "that is everybody"),
        (&at("10.0.0.1/8"), "bits beyond its prefix"),
        (&at("example.com"), "an address looks like 198.51.100.7"),
        (&containing("addresses = [\"198.51.100.7\"]"), "nothing says where the addresses are denied"),
        (&containing("network_acls = [\"vpc-0123456789abcdef0\"]"), "it looks like acl-0123456789abcdef0"),
        (&containing("vpcs = [\"vpc-1\"]"), "it looks like vpc-0123456789abcdef0"),
        (&containing("ip_sets = [\"blocked\"]"), "it looks like arn:aws:wafv2"),
        (&ip_set("210987654321"), "IP set a is of account 210987654321"),
        (&containing("instances = [\"web\"]"), "it looks like i-0123456789abcdef0"),
        (&containing("buckets = [\"A\"]"), "is not a bucket name"),
        (
            &containing("roles = [\"app\"]\n  investigators = [\"arn:aws:iam::123456789012:role/app\"]"),
            "is shut out as well",
        ),
    ]);
    let all = format!("addresses = [\"198.51.100.7\", \"2001:db8::/48\"]{vpcs}");
    let rule = valid(&containing(&all)).containment.unwrap();
    assert_eq!((rule.addresses.len(), rule.is_empty(), rule.has_places()), (2, false, true));
    assert!(valid(&ip_set("123456789012")).containment.unwrap().is_empty(), "a place alone shuts nothing out");
}
