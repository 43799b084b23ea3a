//! The rules of the manifest, one mistake at a time: each is refused, alone, with words that help.

use super::fixtures::{HEAD, refused, refused_whole, valid};

/// Each text is refused with one problem, in which the words are found.
pub(super) fn each_refused(cases: &[(&str, &str)]) {
    for (text, words) in cases {
        let said = refused(text);
        assert!(said.contains(words), "{text}\nshould say {words:?}, says\n{said}");
        assert!(said.ends_with("\n1 problem\n"), "{text}\n{said}");
    }
}

#[test]
fn keys_blocks_and_labels_are_judged() {
    each_refused(&[
        ("objective \"system\" {\n  rto = \"4h\"\n  rpoo = \"1m\"\n}\n", "did you mean `rpo`?"),
        ("bukcet \"x\" {\n}\n", "did you mean `bucket`?"),
        ("terraform = 1\n", "it is a block: write terraform {"),
        ("service \"x\" {\n}\n", "it is a value: write service = \"my-service\""),
        ("zzz {\n}\n", "known here: service, account, terraform"),
        ("check {\n  command = [\"x\"]\n}\n", "write check \"NAME\" { … }"),
        ("check \"a\" \"b\" {\n  command = [\"x\"]\n}\n", "there are too many names"),
        ("check \"a b\" {\n  command = [\"x\"]\n}\n", "`a b` is not a name"),
        ("check \"a\" {\n  command = [\"x\"]\n}\ncheck \"a\" {\n  command = [\"x\"]\n}\n", "the first is on line 16"),
        ("terraform {\n  root = \"../../infra\"\n}\n", "there are two terraform blocks"),
        (
            "region \"recover\" {\n  name = \"us-east-2\"\n  workspace = \"x\"\n  backend = { bucket = \"abc\", key = \"k\" }\n}\n",
            "did you mean region \"recovery\"?",
        ),
        ("check \"a\" {\n  http \"b\" {\n    url = \"https://example.com\"\n  }\n}\n", "write http { … }"),
        (
            "cutover \"a\" {\n  zone = \"b.com\"\n  record \"c.b.com\" {\n    type = \"A\"\n    ttl = 60\n    values = [\"10.0.0.1\"]\n  }\n}\n\
             cutover \"b\" {\n  zone = \"b.com\"\n  record \"c.b.com\" {\n    type = \"A\"\n    ttl = 60\n    values = [\"10.0.0.2\"]\n  }\n}\n",
            "is set by cutover \"a\" as well",
        ),
        ("objective \"aurora\" {\n}\n", "neither rto nor rpo"),
        ("objective \"tables\" { rto = \"1h\" }\n", "did you mean objective \"table\"?"),
        ("objective \"table\" { rto = \"4 hours\" }\n", "`4 hours` is not a duration"),
        ("objective \"table\" { rto = 4 }\n", "this is a number"),
    ]);
}

#[test]
fn an_approval_is_by_one_person_or_two_and_holds_for_a_while() {
    each_refused(&[
        ("approval {\n  people = 3\n}\n", "expected a whole number from 1 to 2"),
        ("approval {\n  peple = 2\n}\n", "did you mean `people`?"),
        ("approval {\n  expires = \"0s\"\n}\n", "a timeout of nothing"),
        ("approval \"x\" {\n}\n", "the approval block has no name"),
        ("approval {\n}\napproval {\n}\n", "there are two approval blocks"),
    ]);
    assert_eq!(valid("").approval, None);
    let usual = valid("approval {\n}\n").approval.unwrap();
    assert_eq!((usual.people, usual.expires.as_hours()), (1, 24));
    let rule = valid("approval {\n  people = 2\n  expires = \"90m\"\n}\n").approval.unwrap();
    assert_eq!((rule.people, rule.expires.as_mins()), (2, 90));
}

#[test]
fn stores_are_judged_as_aws_would() {
    let aurora = |extra: &str| format!("aurora \"a\" {{\n  source = \"abc\"\n  target = \"def\"\n{extra}\n}}\n");
    let table = |extra: &str| format!("table \"a\" {{\n  source = \"abc\"\n  target = \"def\"\n{extra}\n}}\n");
    let catalog = |from: &str, locations: &str| {
        format!(
            "catalog \"a\" {{\n  source = \"abc\"\n  target = \"def\"\n  from = {from}\n  locations = {locations}\n}}\n"
        )
    };
    let bucket = |name: &str, target: &str, extra: &str| {
        format!("bucket \"{name}\" {{\n  source = \"abc\"\n  target = \"{target}\"\n{extra}\n}}\n")
    };
    let long = "a".repeat(62);
    let role = "arn:aws:iam::123456789012:role/restore";
    let point = "arn:aws:backup:us-east-1:123456789012:recovery-point:0123";
    let cases = [
        (aurora("  from = latest_backup"), "write latest_snapshot or snapshot(\"…\")"),
        (aurora("  from = snapsot(\"x\")"), "there is no function `snapsot`"),
        (aurora("  from = snapshot(\"x\", \"y\")"), "it takes one text"),
        (aurora("  from = snapshot(\"a b\")"), "is not a snapshot's identifier or ARN"),
        (aurora("  from = \"latest_snapshot\""), "this is a string"),
        (
            aurora("  from = snapshot(\"arn:aws:rds:eu-west-2:123456789012:cluster-snapshot:x\")"),
            "is in eu-west-2, not in us-east-1",
        ),
        (aurora("  from = latest_snapshot\n  instances = 17"), "a whole number from 1 to 16"),
        (aurora("  from = latest_snapshot\n  instances = 1.5"), "a whole number from 1 to 16"),
        (aurora("  from = latest_snapshot\n  adopt = \"logs\""), "is not a resource address"),
        (aurora("  from = latest_snapshot\n  adopt = \"aws_rds_cluster.log\""), "did you mean `aws_rds_cluster.logs`?"),
        (
            aurora("  from = latest_snapshot\n  adopt = \"module.data.aws_dynamodb_table.metadata[0]\""),
            "this block adopts an aws_rds_cluster",
        ),
        (
            format!("aurora \"a\" {{\n  source = \"abc\"\n  target = \"{long}\"\n  from = latest_snapshot\n}}\n"),
            "longer than 63 characters",
        ),
        (bucket("a", "def", "  source_role = \"reader\""), "`reader` is not the ARN of an IAM role"),
        (bucket("a", "def", "  batch_role = \"arn:aws:iam::123456789012:role/b\""), "batch_reports is missing"),
        (bucket("a", "def", "  batch_reports = \"reports\""), "batch_role is missing"),
        (bucket("a", "def", "  batch_above = 10"), "batch_role and batch_reports are missing"),
        (
            bucket(
                "a",
                "def",
                "  batch_role = \"arn:aws:iam::123456789012:role/b\"\n  batch_reports = \"reports\"\n  source_role = \
                 \"arn:aws:iam::123456789012:role/a\"",
            ),
            "reads as no other role",
        ),
        (bucket("a", "def", "  source_role = \"arn:aws:iam::1:user/a\""), "looks like arn:aws:iam::ACCOUNT:role/NAME"),
        (bucket("a", "def", "  include = \"a\""), "this is a string"),
        (aurora("  from = global(\"a b\")"), "is not a global database's identifier"),
        (
            aurora("  from = global(\"g\")\n  adopt = \"aws_rds_cluster.logs\""),
            "a member of a global database is not adopted",
        ),
        (aurora("  from = global(\"g\")\n  instances = 2"), "no instances are made for a member of a global database"),
        (aurora("  from = global(\"g\")\n  subnet_group = \"x\""), "no subnet group is chosen"),
        (
            aurora("  from = global(\"g\")\n  security_groups = [\"sg-0123456789abcdef0\"]"),
            "no security groups are chosen",
        ),
        (table("  from = backup(\"x\")"), "is not the ARN of a DynamoDB backup"),
        (
            table("  from = backup(\"arn:aws:dynamodb:eu-west-2:123456789012:table/t/backup/0\")"),
            "is in eu-west-2, not in us-east-1",
        ),
        (table(&format!("  from = backup(\"{point}\")")), "AWS Backup needs a role to restore this recovery point"),
        (table("  from = latest_backup\n  backup_vault = \"dr\""), "without a role AWS Backup restores nothing"),
        (table("  from = latest_backup\n  backup_role = \"restore\""), "is not the ARN of an IAM role"),
        (table(&format!("  from = latest_backup\n  backup_rol = \"{role}\"")), "did you mean `backup_role`?"),
        (
            table(&format!(
                "  from = latest_backup\n  backup_role = \"{}\"",
                role.replace("123456789012", "210987654321")
            )),
            "is of account 210987654321, not of 123456789012",
        ),
        (
            table(&format!("  from = latest_backup\n  backup_role = \"{role}\"\n  backup_vault = \"d r\"")),
            "is not the name of a backup vault",
        ),
        (
            table(&format!(
                "  from = backup(\"{}\")\n  backup_role = \"{role}\"",
                point.replace("us-east-1", "eu-west-2")
            )),
            "is in eu-west-2, not in us-east-1",
        ),
        (
            format!(
                "table \"a\" {{\n  source = \"abc\"\n  target = \"abc\"\n  from = replica\n  backup_role = \"{role}\"\n}}\n"
            ),
            "AWS Backup restores nothing for a replica",
        ),
        (table("  from = latest_backup\n  adopt = \"module.data.aws_dynamodb_table.metadata\""), "an index is missing"),
        (table("  from = latest_backup\n  verify = [objects >= 1]"), "this block counts items"),
        (table("  from = latest_backup\n  verify = [items != 1]"), "known: ==, >=, >, <=, <"),
        (table("  from = latest_backup\n  verify = [items >= -1]"), "a whole number from 0"),
        (table("  from = latest_backup\n  verify = [sql(\"x\")]"), "write items >= 1"),
        (table("  from = latest_backup\n  verify = items >= 1"), "expected a list"),
        (bucket("a", "abc", ""), "the bucket would be copied onto itself"),
        (bucket("a", "Def", ""), "only small letters, digits, dots and hyphens"),
        (bucket("a", "def", "") + &bucket("b", "def", ""), "is already the target bucket of another block"),
        (catalog("replica(\"def\")", "{}"), "restored from itself"),
        (catalog("export(\"s3://bucket\")", "{}"), "the key is missing"),
        (catalog("latest", "{}"), "write export(\"…\") or replica(\"…\")"),
        (catalog("replica(\"x\")", "{ \"s3://old/\" = \"s3://new\" }"), "ends with a slash"),
        (catalog("replica(\"x\")", "{ \"/old/\" = \"s3://new/\" }"), "is not an S3 location"),
        (catalog("replica(\"x\")", "{ \"s3://old/\" = 1 }"), "is not a string"),
        (catalog("replica(\"X\")", "{}"), "Glue keeps it in small letters"),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|(text, words)| (text.as_str(), *words)).collect();
    each_refused(&cases);
}

#[test]
fn rows_are_asked_by_somebody_and_only_asked() {
    let aurora = |more: &str| {
        format!("aurora \"logs\" {{\n  source = \"a\"\n  target = \"b\"\n  from = latest_snapshot\n{more}\n}}\n")
    };
    let sql = |more: &str| aurora(&format!("  sql {{\n{more}\n  }}"));
    let verify = |check: &str| aurora(&format!("  verify = [{check}]\n  sql {{\n    login = env(\"DB\")\n  }}"));
    let cases = [
        (aurora("  verify = [check_table(\"a\")]"), "there is no sql block"),
        (sql(""), "`login` is missing"),
        (sql("    login = \"admin\""), "who asks is not understood"),
        (sql("    login = env(\"db-user\")"), "capitals, digits and underscores"),
        (sql("    login = secret(\"a b\")"), "is not a secret's name or ARN"),
        (sql("    login = env(\"DB\")\n    via = \"localhost\""), "not a host with a port"),
        (sql("    login = env(\"DB\")\n    password = \"x\""), "`password` is not known"),
        (verify("items >= 1"), "a question to the database is not understood"),
        (verify("sql(\"SELECT 1\") != 1"), "known: ==, >=, >, <=, <"),
        (verify("sql(\"UPDATE a SET b = 1\") >= 1"), "this is no question"),
        (verify("check_table(\"\")"), "the text is empty"),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|(text, said)| (text.as_str(), *said)).collect();
    each_refused(&cases);
}

#[test]
fn questions_to_athena_are_judged_with_their_block() {
    let of = |verify: &str, block: &str| {
        format!(
            "catalog \"a\" {{\n  source = \"abc\"\n  target = \"def\"\n  from = export(\"s3://abc/k\")\n  locations = {{}}\n  \
             {verify}\n{block}\n}}\n"
        )
    };
    let asked = "verify = [athena(\"SELECT COUNT(*) FROM t\") >= 1, tables >= 1]";
    let block = "athena {\n  workgroup = \"logs\"\n}";
    let cases = [
        (of(asked, ""), "there is no athena block to ask with"),
        (of("", block), "the athena block asks nothing"),
        (of("verify = [tables >= 1]", block), "the athena block asks nothing"),
        (of("verify = [athena(\"DROP TABLE t\") >= 1]", block), "this is no question"),
        (of("verify = [sql(\"SELECT 1\") >= 1]", block), "write athena(\"SELECT COUNT(*) FROM events\") >= 1"),
        (of("verify = [athena(\"SELECT 1\")]", block), "expected a comparison"),
        (of(asked, "athena {\n  workgrup = \"logs\"\n}"), "did you mean `workgroup`?"),
        (of(asked, "athena {\n  workgroup = \"a b\"\n}"), "is not a workgroup of Athena"),
        (of(asked, "athena {\n  output = \"results\"\n}"), "is not an S3 location"),
        (of(asked, "athna {\n}"), "did you mean `athena`?"),
    ];
    // Where the block itself is not understood, nobody can be asked either; both are said.
    for (text, words) in cases {
        let said = refused(&text);
        assert!(said.contains(words), "{text}\nshould say {words:?}, says\n{said}");
    }
    assert_eq!(valid(&of(asked, block)).catalogs[0].athena.as_ref().unwrap().workgroup, "logs");
}

#[test]
fn a_check_asks_exactly_one_question() {
    each_refused(&[
        ("check \"a\" {\n}\n", "none of command, http and firehose"),
        ("check \"a\" {\n  command = [\"x\"]\n  http {\n    url = \"https://x\"\n  }\n}\n", "several at once"),
        ("check \"a\" {\n  command = []\n}\n", "the command is empty"),
        ("check \"a\" {\n  command = [\"x\", \"\"]\n}\n", "the text is empty"),
        ("check \"a\" {\n  command = [\"x\"]\n  timeout = \"0s\"\n}\n", "a timeout of nothing"),
        ("check \"a\" {\n  firehose {\n    record = \"{mark}\"\n  }\n}\n", "`stream` is missing"),
        ("check \"a\" {\n  firehose {\n    stream = \"a\"\n    record = \"b\"\n  }\n}\n", "no {mark}"),
        ("check \"a\" {\n  http {\n    url = \"x.example.com\"\n  }\n}\n", "this is not a URL"),
        ("check \"a\" {\n  http {\n    url = \"https://x\"\n    status = 99\n  }\n}\n", "from 100 to 599"),
        ("check \"a\" {\n  http {\n    url = terraform.output.lb_dsn\n  }\n}\n", "did you mean `lb_dns`?"),
        ("check \"a\" {\n  http {\n    url = terraform.output.secret\n  }\n}\n", "is sensitive"),
        ("check \"a\" {\n  http {\n    url = var.x\n  }\n}\n", "the reference is not understood"),
        ("check \"a\" {\n  http {\n    url = \"https://${x}\"\n  }\n}\n", "the manifest knows no interpolation"),
    ]);
}

#[test]
fn records_are_judged_as_route_53_would() {
    let cutover = |zone: &str, records: &str| format!("cutover \"a\" {{\n  {zone}\n{records}\n}}\n");
    let record = |name: &str, body: &str| format!("  record \"{name}\" {{\n    {body}\n  }}\n");
    let zone = "zone = \"example.com\"";
    let one = |body: &str| cutover(zone, &record("x.example.com", body));
    let cname = "type = \"CNAME\"\n    ttl = 60\n    values = [\"y.example.com\"]";
    let a = "type = \"A\"\n    ttl = 60\n    values = [\"10.0.0.1\"]";
    let weighted =
        |id: &str, rest: &str| record("x.example.com", &format!("{a}\n    set_identifier = \"{id}\"\n    {rest}"));
    let cases = [
        (cutover("", &record("x.example.com", cname)), "neither zone nor zone_id"),
        (cutover("zone = \"example.com\"\n  zone_id = \"Z012\"", &record("x.example.com", cname)), "at once"),
        (cutover("zone_id = \"/hostedzone/Z012\"", &record("x.example.com", cname)), "without /hostedzone/"),
        (cutover(zone, ""), "no record block"),
        (cutover(zone, &record("x.example.org", cname)), "its names end with .example.com"),
        (cutover(zone, &record("xexample.com", cname)), "is not in the zone"),
        (cutover(zone, &record("example.com", cname)), "cannot stand at the top of its zone"),
        (cutover(zone, &(record("x.example.com", cname) + &record("X.example.com", a))), "has a CNAME"),
        (cutover(zone, &record("x.example.com", a).repeat(2)), "is there twice"),
        (cutover(zone, &(weighted("p", "weight = 1") + &weighted("p", "weight = 2"))), "with one set_identifier"),
        (
            cutover(zone, &(weighted("p", "weight = 1") + &weighted("s", "failover = \"PRIMARY\""))),
            "two routing policies",
        ),
        (one(&format!("{a}\n    weight = 1")), "weight needs a set_identifier"),
        (one(&format!("{a}\n    set_identifier = \"x\"")), "goes with weight or failover"),
        (one(&format!("{a}\n    set_identifier = \"x\"\n    weight = 256")), "from 0 to 255"),
        (
            one(&format!("{a}\n    set_identifier = \"x\"\n    failover = \"primary\"")),
            "write \"PRIMARY\" or \"SECONDARY\"",
        ),
        (one("type = \"a\"\n    ttl = 1\n    values = [\"10.0.0.1\"]"), "did you mean \"A\"?"),
        (one("type = \"A\"\n    ttl = 1\n    values = [\"y.example.com\"]"), "is not an IPv4 address"),
        (one("type = \"AAAA\"\n    ttl = 1\n    values = [\"10.0.0.1\"]"), "is not an IPv6 address"),
        (one("type = \"TXT\"\n    ttl = 1\n    values = [\"x\"]"), "Route 53 wants the text in quotation marks"),
        (one("type = \"CNAME\"\n    ttl = 1\n    values = [\"a.b\", \"c.d\"]"), "a CNAME has one value"),
        (one("type = \"CNAME\"\n    ttl = 1\n    values = []"), "the list of values is empty"),
        (one("type = \"CNAME\"\n    values = [\"a.b\"]"), "`ttl` is missing"),
        (one("type = \"CNAME\"\n    ttl = -1\n    values = [\"a.b\"]"), "a whole number from 0"),
        (
            one("type = \"CNAME\"\n    ttl = 1\n    values = [aurora.nope.endpoint]"),
            "there is no block aurora \"nope\"",
        ),
        (one("type = \"CNAME\"\n    ttl = 1\n    values = [aurora.nope.port]"), "the reference is not understood"),
        (one("type = \"A\""), "neither values nor alias"),
        (
            one("type = \"A\"\n    ttl = 1\n    alias {\n      name = \"x\"\n      zone_id = \"Z012\"\n    }"),
            "does not go with an alias",
        ),
        (
            one("type = \"A\"\n    alias {\n      name = \"x\"\n      zone_id = \"x\"\n    }"),
            "is not a hosted zone's ID",
        ),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|(text, words)| (text.as_str(), *words)).collect();
    each_refused(&cases);
    let sides = weighted("p", "failover = \"PRIMARY\"") + &weighted("s", "failover = \"SECONDARY\"");
    assert_eq!(valid(&cutover("zone_id = \"Z012\"", &sides)).cutovers[0].records.len(), 2);
}

#[test]
fn guards_are_judged() {
    each_refused(&[
        ("guard {\n  max_destroy = 0\n}\n", "did you mean `max_destroys`?"),
        ("guard {\n  max_destroys = -1\n}\n", "a whole number from 0"),
        ("guard {\n  max_destroys = 1.5\n}\n", "a whole number from 0"),
        ("guard {\n  protect = \"aws_vpc.main\"\n}\n", "a list"),
        ("guard {\n  protect = [\"aws_vpc\"]\n}\n", "types go into protect_types"),
        ("guard {\n  protect_types = [\"aws_vpc.main\"]\n}\n", "addresses go into protect"),
        ("guard {\n  protect_types = [\"aws vpc\"]\n}\n", "letters, digits and _ only"),
        ("guard {\n  regions = [\"useast1\"]\n}\n", "a region looks like us-east-1"),
        ("guard {\n  accounts = [\"1\"]\n}\n", "an account has 12 digits"),
        ("guard {\n  required_tags = [\"\"]\n}\n", "it is empty"),
        ("guard {\n  static = \"yes\"\n}\n", "true or false"),
        ("guard {\n  policies = \"nowhere\"\n}\n", "there is no such folder"),
        ("guard \"a\" {\n}\n", "write guard { … }"),
        ("guard {\n}\nguard {\n}\n", "there are two guard blocks"),
        ("gaurd {\n}\n", "did you mean `guard`?"),
    ]);
    let said = refused("guard {\n  protect = [\"a\"]\n  regions = [\"b\"]\n  polices = \"c\"\n}\n");
    assert!(said.ends_with("\n3 problems\n"), "all of it at once: {said}");
    let guards = valid("guard {\n  regions = []\n  protect = [\"module.a\", \"*\"]\n  names = true\n}\n").guards;
    assert_eq!((guards.regions, guards.protect.len(), guards.names, guards.quotas), (Some(vec![]), 2, true, false));
    assert_eq!(valid("").guards, crate::manifest::Guards::default(), "nothing is guarded by default");
}

#[test]
fn service_and_regions_are_judged() {
    let cases = [
        ("\"123456789012\"", "\"12345678901\"", "an account has 12 digits"),
        ("\"us-east-1\"", "\"eu-west-2\"", "the recovery region is the primary region"),
        ("\"us-east-1\"", "\"useast1\"", "a region looks like us-east-1"),
        ("\"prod-dr\"", "\"prod\"", "both regions share a workspace"),
        ("\"prod-dr\"", "\"prod/dr\"", "is not a workspace name"),
        ("\"state-dr\"", "\"state\"", "both regions share a backend bucket"),
        ("\"state-dr\"", "\"State\"", "is not a bucket name"),
        ("bucket = \"state-dr\", ", "", "`bucket` is missing in the backend"),
        ("bucket = \"state-dr\"", "bucket = \"state-dr\", reqion = \"x\"", "is not an argument of the S3 backend"),
        ("bucket = \"state-dr\"", "bucket = \"state-dr\", region = \"x\"", "the region block's name is used"),
        ("bucket = \"state-dr\"", "bucket = \"state-dr\", secret_key = \"x\"", "use the environment"),
        ("\"../../infra\"", "\"../../infro\"", "there is no such folder"),
        ("\"../../infra\"", "\"../../infra\"\n  var_files = [\"x.tfvars\"]", "there is no such file"),
        ("\"../../infra\"", "\"../../infra\"\n  parallelism = 0", "from 1 to 256"),
        ("\"prod-dr\"", "\"prod-dr\"\n  variables = { aws_regio = \"x\" }", "did you mean `aws_region`?"),
        ("\"prod-dr\"", "\"prod-dr\"\n  variables = { aws_region = var.x }", "this is a reference"),
        ("\"prod-dr\"", "\"prod-dr\"\n  variables = { aws_region = upper(\"x\") }", "this is a function call"),
        ("\"prod-dr\"", "\"prod-dr\"\n  variables = { aws_region = 123456789012345678901 }", "too many digits"),
        ("\"prod-dr\"", "\"prod-dr\"\n  variables = [1]", "expected an object"),
    ];
    for (old, new, words) in cases {
        assert!(HEAD.contains(old), "{old}");
        let at = HEAD.rfind(old).unwrap();
        let said = refused_whole(&format!("{}{new}{}", &HEAD[..at], &HEAD[at + old.len()..]));
        assert!(said.contains(words) && said.ends_with("\n1 problem\n"), "{new}: {words}\n{said}");
    }
}
