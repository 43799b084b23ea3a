//! Which names AWS and Terraform accept. Pure; each rule names the document it comes from.

/// What a name must be: what it is called, and why a text is not one.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// "a bucket name"
    pub noun: &'static str,
    pub refuse: fn(&str) -> Option<&'static str>,
}

/// Labels of blocks: they become parts of step names, of references and of file names.
pub(super) const LABEL: Rule = Rule { noun: "a name", refuse: label };

/// Twelve digits (AWS: "View AWS account identifiers").
pub(super) const ACCOUNT: Rule = Rule { noun: "an AWS account", refuse: account };

/// The shape of a region's code (AWS: "AWS Regions"); whether it exists only AWS knows.
pub(super) const REGION: Rule = Rule { noun: "an AWS region", refuse: region };

/// What Terraform takes (Terraform: "Workspaces", `terraform workspace new`: URL-safe characters).
pub(super) const WORKSPACE: Rule = Rule { noun: "a workspace name", refuse: workspace };

/// Amazon S3: "General purpose bucket naming rules".
pub(super) const BUCKET: Rule = Rule { noun: "a bucket name", refuse: bucket_name_fault };

/// Amazon S3: "Naming Amazon S3 objects"; Terraform's backend refuses a slash at either end.
pub(super) const KEY: Rule = Rule { noun: "an object key", refuse: key };

/// Amazon RDS: "Quotas and constraints for Amazon RDS", naming constraints; API: "RestoreDBClusterFromSnapshot".
pub(super) const CLUSTER: Rule = Rule { noun: "a DB cluster identifier", refuse: cluster_name_fault };

/// Amazon RDS API: "CreateGlobalCluster", `GlobalClusterIdentifier`.
pub(super) const GLOBAL_CLUSTER: Rule = Rule { noun: "a global database's identifier", refuse: cluster_name_fault };

/// Amazon RDS API: "DBClusterSnapshot", identifier or ARN; automated ones begin with `rds:`.
pub(super) const SNAPSHOT: Rule = Rule { noun: "a snapshot's identifier or ARN", refuse: snapshot };

/// Amazon RDS API: "CreateDBSubnetGroup".
pub(super) const SUBNET_GROUP: Rule = Rule { noun: "a DB subnet group's name", refuse: subnet_group };

/// Amazon EC2: "Resource IDs".
pub(super) const SECURITY_GROUP: Rule = Rule { noun: "a security group's ID", refuse: security_group };

/// Amazon DynamoDB: "Naming rules and data types".
pub(super) const TABLE: Rule = Rule { noun: "a DynamoDB table name", refuse: table };

/// Amazon DynamoDB API: "RestoreTableFromBackup", `BackupArn`; AWS Backup API: "StartRestoreJob", `RecoveryPointArn`.
pub(super) const BACKUP: Rule = Rule { noun: "the ARN of a DynamoDB backup", refuse: backup };

/// AWS Backup API: "CreateBackupVault", `BackupVaultName`.
pub(super) const VAULT: Rule = Rule { noun: "the name of a backup vault", refuse: vault };

/// AWS Secrets Manager API: "CreateSecret"; or the ARN.
pub(super) const SECRET: Rule = Rule { noun: "a secret's name or ARN", refuse: secret };

/// AWS IAM User Guide: "IAM identifiers", ARNs of roles.
pub(super) const ROLE: Rule = Rule { noun: "the ARN of an IAM role", refuse: role };

/// Environment variables: begin of a name.
pub(super) const ENV_PREFIX: Rule = Rule { noun: "the beginning of a variable's name", refuse: env_prefix };

/// AWS Glue API: "Databases": folded to lower case, at most 255 characters.
pub(super) const DATABASE: Rule = Rule { noun: "a Glue database name", refuse: database_name_fault };

/// Athena API: "CreateWorkGroup".
pub(super) const WORKGROUP: Rule = Rule { noun: "a workgroup of Athena", refuse: workgroup };

/// Amazon Route 53 API: "ResourceRecordSet", `HostedZoneId`.
pub(super) const ZONE_ID: Rule = Rule { noun: "a hosted zone's ID", refuse: zone_id };

/// Amazon Route 53: "DNS domain name format".
pub(super) const DOMAIN: Rule = Rule { noun: "a domain name", refuse: domain };

/// `s3://bucket/key`
pub(super) const OBJECT_URI: Rule = Rule { noun: "the address of an S3 object", refuse: object_uri };

/// `s3://bucket` or `s3://bucket/prefix`
pub(super) const LOCATION: Rule = Rule { noun: "an S3 location", refuse: location };

fn all(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    text.chars().all(allowed)
}

fn lower_or_digit(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit()
}

fn label(text: &str) -> Option<&'static str> {
    let fits = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.len() <= 63
        && all(text, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    (!fits).then_some("up to 63 letters, digits, hyphens and underscores, a letter first")
}

fn account(text: &str) -> Option<&'static str> {
    let fits = text.len() == 12 && all(text, |c| c.is_ascii_digit());
    (!fits).then_some("an account has 12 digits")
}

fn region(text: &str) -> Option<&'static str> {
    let parts: Vec<&str> = text.split('-').collect();
    let fits = match parts.split_last() {
        Some((number, words)) => {
            let number_fits = (1..=2).contains(&number.len()) && all(number, |c| c.is_ascii_digit());
            let words_fit = words.iter().all(|word| word.len() >= 2 && all(word, |c| c.is_ascii_lowercase()));
            number_fits && words_fit && words.len() >= 2
        }
        None => false,
    };
    (!fits).then_some("a region looks like us-east-1")
}

fn workspace(text: &str) -> Option<&'static str> {
    let fits = (1..=90).contains(&text.len()) && all(text, |c| c.is_ascii_alphanumeric() || "-_.~$&+=:@".contains(c));
    (!fits).then_some("up to 90 letters, digits, and - _ . ~ $ & + = : @")
}

/// Why a text is no bucket's name, as a manifest would say it.
pub fn bucket_name_fault(text: &str) -> Option<&'static str> {
    let edge = |c: Option<char>| c.is_some_and(lower_or_digit);
    if !(3..=63).contains(&text.len()) {
        Some("a bucket name has 3 to 63 characters")
    } else if !all(text, |c| lower_or_digit(c) || c == '.' || c == '-') {
        Some("only small letters, digits, dots and hyphens are allowed")
    } else if !edge(text.chars().next()) || !edge(text.chars().next_back()) {
        Some("it must begin and end with a small letter or a digit")
    } else if text.contains("..") {
        Some("two dots may not follow one another")
    } else if text.parse::<std::net::Ipv4Addr>().is_ok() {
        Some("it may not look like an IP address")
    } else if ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| text.starts_with(prefix)) {
        Some("AWS keeps this prefix for itself")
    } else if ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|suffix| text.ends_with(suffix)) {
        Some("AWS keeps this suffix for itself")
    } else {
        None
    }
}

fn key(text: &str) -> Option<&'static str> {
    if !(1..=1024).contains(&text.len()) {
        Some("an object key has 1 to 1024 bytes")
    } else if text.starts_with('/') || text.ends_with('/') {
        Some("Terraform's backend takes no slash at either end")
    } else {
        text.chars().any(char::is_control).then_some("control characters are not allowed")
    }
}

/// Why a text is no DB cluster identifier, as a manifest would say it.
pub fn cluster_name_fault(text: &str) -> Option<&'static str> {
    if !(1..=63).contains(&text.len()) {
        Some("an identifier has 1 to 63 characters")
    } else if text.chars().any(|c| c.is_ascii_uppercase()) {
        Some("RDS keeps it in small letters: write it so")
    } else if !all(text, |c| lower_or_digit(c) || c == '-') {
        Some("only letters, digits and hyphens are allowed")
    } else if !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        Some("it must begin with a letter")
    } else if text.ends_with('-') || text.contains("--") {
        Some("it may not end with a hyphen or hold two in a row")
    } else {
        None
    }
}

fn secret(text: &str) -> Option<&'static str> {
    let fits = (1..=2048).contains(&text.len()) && all(text, |c| c.is_ascii_alphanumeric() || "/_+=.@-:!".contains(c));
    (!fits).then_some("letters, digits and /_+=.@- are allowed")
}

fn role(text: &str) -> Option<&'static str> {
    let fits = arn(text).is_some_and(|arn| {
        arn.service == "iam" && arn.resource.strip_prefix("role/").is_some_and(|name| !name.is_empty())
    });
    (!fits).then_some("a role's ARN looks like arn:aws:iam::ACCOUNT:role/NAME")
}

fn env_prefix(text: &str) -> Option<&'static str> {
    let fits = all(text, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    (!fits || !text.starts_with(|c: char| c.is_ascii_uppercase()))
        .then_some("capitals, digits and underscores are allowed")
}

fn snapshot(text: &str) -> Option<&'static str> {
    if let Some(arn) = arn(text) {
        let fits = arn.service == "rds" && arn.resource.starts_with("cluster-snapshot:");
        return (!fits).then_some("this is the ARN of something else than a cluster snapshot");
    }
    let fits = (1..=255).contains(&text.len()) && all(text, |c| c.is_ascii_alphanumeric() || c == '-' || c == ':');
    (!fits).then_some("up to 255 letters, digits, hyphens and colons")
}

fn subnet_group(text: &str) -> Option<&'static str> {
    let fits = (1..=255).contains(&text.len()) && all(text, |c| lower_or_digit(c) || "-_. ".contains(c));
    (!fits).then_some("up to 255 small letters, digits, dots, hyphens, underscores and spaces")
}

fn security_group(text: &str) -> Option<&'static str> {
    let id = text.strip_prefix("sg-");
    let fits = id.is_some_and(|id| (8..=17).contains(&id.len()) && all(id, |c| c.is_ascii_hexdigit()));
    (!fits).then_some("an ID looks like sg-0123456789abcdef0")
}

fn table(text: &str) -> Option<&'static str> {
    if !(3..=255).contains(&text.len()) {
        return Some("a table name has 3 to 255 characters");
    }
    let fits = all(text, |c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    (!fits).then_some("only letters, digits, underscores, dots and hyphens are allowed")
}

fn backup(text: &str) -> Option<&'static str> {
    let Some(arn) = arn(text) else { return Some("an ARN begins with arn:") };
    if arn.service == "backup" {
        let fits = arn.resource.strip_prefix("recovery-point:").is_some_and(|id| !id.is_empty());
        return (!fits).then_some("a recovery point's ARN looks like arn:aws:backup:REGION:ACCOUNT:recovery-point:ID");
    }
    let fits = arn.service == "dynamodb" && arn.resource.starts_with("table/") && arn.resource.contains("/backup/");
    (!fits).then_some("a backup's ARN looks like arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/backup/ID")
}

fn vault(text: &str) -> Option<&'static str> {
    let fits = (2..=50).contains(&text.len()) && all(text, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    (!fits).then_some("2 to 50 letters, digits, hyphens and underscores")
}

/// What is wrong with the name of a Glue database (AWS Glue API: "Databases").
pub fn database_name_fault(text: &str) -> Option<&'static str> {
    if !(1..=255).contains(&text.chars().count()) {
        Some("a database name has 1 to 255 characters")
    } else if text.chars().any(char::is_uppercase) {
        Some("Glue keeps it in small letters: write it so")
    } else {
        text.chars().any(char::is_control).then_some("control characters are not allowed")
    }
}

fn workgroup(text: &str) -> Option<&'static str> {
    let fits = (1..=128).contains(&text.len()) && all(text, |c| c.is_ascii_alphanumeric() || "._-".contains(c));
    (!fits).then_some("1 to 128 letters, digits, dots, underscores and hyphens are allowed")
}

fn zone_id(text: &str) -> Option<&'static str> {
    if text.starts_with('/') {
        return Some("write the ID without /hostedzone/");
    }
    let fits = text.starts_with('Z')
        && (2..=32).contains(&text.len())
        && all(text, |c| c.is_ascii_uppercase() || c.is_ascii_digit());
    (!fits).then_some("an ID looks like Z0123456789ABCDEFGHIJ")
}

fn domain(text: &str) -> Option<&'static str> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if !(1..=255).contains(&name.len()) {
        return Some("a domain name has 1 to 255 characters");
    }
    let labels_fit = name.split('.').all(|label| (1..=63).contains(&label.len()));
    if !labels_fit {
        return Some("between its dots there are 1 to 63 characters");
    }
    let fits = all(name, |c| c.is_ascii_alphanumeric() || "-_.*\\".contains(c));
    (!fits).then_some("only letters, digits, hyphens and underscores are allowed between the dots")
}

fn object_uri(text: &str) -> Option<&'static str> {
    match s3(text) {
        None => Some("write s3://bucket/key"),
        Some((_, "")) => Some("the key is missing: write s3://bucket/key"),
        Some((name, _)) => bucket_name_fault(name),
    }
}

fn location(text: &str) -> Option<&'static str> {
    s3(text).map_or(Some("write s3://bucket/prefix/"), |(name, _)| bucket_name_fault(name))
}

fn s3(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("s3://")?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

/// The parts of an ARN that are looked at (AWS: "Identify AWS resources with Amazon Resource Names").
pub(super) struct Arn<'a> {
    pub service: &'a str,
    pub region: &'a str,
    pub resource: &'a str,
}

/// Reads `arn:partition:service:region:account:resource`.
pub(super) fn arn(text: &str) -> Option<Arn<'_>> {
    let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
    let (_, service, region, _) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(Arn { service, region, resource: parts.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rule: Rule, accepted: &[&str], refused: &[&str]) {
        for text in accepted {
            assert_eq!((rule.refuse)(text), None, "{} {text:?}", rule.noun);
        }
        for text in refused {
            assert!((rule.refuse)(text).is_some(), "{} {text:?}", rule.noun);
        }
    }

    #[test]
    fn names_are_judged_as_aws_judges_them() {
        let long = "a".repeat(64);
        judge(ACCOUNT, &["123456789012", "000000000001"], &["", "12345678901", "1234567890123", "12345678901x"]);
        judge(
            REGION,
            &["us-east-1", "us-gov-west-1", "ap-southeast-10", "us-iso-east-1", "eusc-de-east-1"],
            &["", "useast1", "us-east", "US-EAST-1", "us-east-1a", "us--1", "1", "eu-2"],
        );
        judge(
            BUCKET,
            &["abc", "my.bucket-1", "0ab", &"a".repeat(63)],
            &["ab", &long, "Abc", "a_b", "-abc", "abc.", "a..b", "192.168.5.4", "xn--abc", "abc-s3alias", "abc--x-s3"],
        );
        judge(CLUSTER, &["a", "logs-aurora-1"], &["", "1a", "a--b", "a-", "A", "a_b", &long]);
        judge(TABLE, &["abc", "A.b-c_1"], &["ab", "a b c", "täble", &"a".repeat(256)]);
        judge(DATABASE, &["a", "logs_prod"], &["", "Logs", "a\u{7}"]);
        judge(WORKGROUP, &["primary", "logs-dr_1.2"], &["", "a b", &"a".repeat(129)]);
        judge(WORKSPACE, &["default", "prod-dr", "a.b"], &["", "a/b", "a b", &"a".repeat(91)]);
        judge(KEY, &["logs.tfstate", "a/b"], &["", "/a", "a/", "a\nb"]);
        judge(DOMAIN, &["example.com", "example.com.", "_x.a", "*.a"], &["", "a..b", "a b", &long, "."]);
        judge(ZONE_ID, &["Z0123456789ABC"], &["", "z012", "/hostedzone/Z012", "Z", "example.com"]);
        judge(SECURITY_GROUP, &["sg-12345678", "sg-0123456789abcdef0"], &["default", "sg-", "sg-xyz"]);
        judge(SUBNET_GROUP, &["main"], &["", "Main"]);
        judge(
            SNAPSHOT,
            &["rds:logs-2026-01-01-00-00", "x", "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:x"],
            &["", "a b", "arn:aws:rds:us-east-1:123456789012:snapshot:x", "arn:aws:s3:::x"],
        );
        judge(
            BACKUP,
            &[
                "arn:aws:dynamodb:us-east-1:123456789012:table/t/backup/0123-a",
                "arn:aws:backup:us-east-1:123456789012:recovery-point:x",
            ],
            &[
                "",
                "x",
                "arn:aws:backup:us-east-1:123456789012:backup-vault:x",
                "arn:aws:backup:us-east-1:123456789012:recovery-point:",
                "arn:aws:dynamodb:us-east-1:1:table/t",
            ],
        );
        judge(VAULT, &["dr", "logs_dr-1"], &["", "a", "a b", &"a".repeat(51)]);
        judge(OBJECT_URI, &["s3://abc/x.json"], &["abc/x", "s3://abc", "s3://abc/", "s3://A/x", "https://abc/x"]);
        judge(LOCATION, &["s3://abc", "s3://abc/", "s3://abc/x/"], &["abc", "s3://", "s3a://abc/"]);
        judge(LABEL, &["logs", "a-b_1"], &["", "1a", "a.b", "a b", "../x", &long]);
    }
}
