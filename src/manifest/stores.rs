//! Reads what is brought back: clusters, tables, buckets, catalogs.

use std::collections::BTreeMap;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use super::aws_backup::aws_backup;
use super::batch::batch;
use super::names::{
    BACKUP, BUCKET, CLUSTER, DATABASE, GLOBAL_CLUSTER, LOCATION, OBJECT_URI, ROLE, Rule, SECURITY_GROUP, SNAPSHOT,
    SUBNET_GROUP, TABLE,
};
use super::reader::{Fields, Later, Reader, Schema, at};
use super::rows::rows;
use super::values::{Choice, choice, expectations, integer, list, named, object, string};
use super::{Bucket, Catalog, CatalogSource, Cluster, ClusterSource, Quantity, Table, TableSource};
use super::{CopyEngine, athena};
use crate::document::quoted;

/// A writer and fifteen readers (Amazon Aurora: "Amazon Aurora DB clusters").
const MAX_INSTANCES: u64 = 16;

/// Instances are called after their cluster, with a number: both have to fit (Amazon RDS: "Naming constraints").
const MAX_INSTANCE_NAME: usize = 63;

const AURORA: Schema = Schema {
    keys: &[
        ("source", "\"cluster-identifier\""),
        ("target", "\"cluster-identifier\""),
        ("from", "latest_snapshot"),
        ("instances", "1"),
        ("adopt", "\"aws_rds_cluster.NAME\""),
        ("subnet_group", "\"NAME\""),
        ("security_groups", "[\"sg-…\"]"),
        ("verify", "[check_table(\"logs\")]"),
    ],
    blocks: &[("sql", "sql { login = secret(\"name\") }")],
};

const TABLE_BLOCK: Schema = Schema {
    keys: &[
        ("source", "\"table-name\""),
        ("target", "\"table-name\""),
        ("from", "latest_backup"),
        ("backup_role", "\"arn:aws:iam::123456789012:role/name\""),
        ("backup_vault", "\"vault-name\""),
        ("adopt", "\"aws_dynamodb_table.NAME\""),
        ("verify", "[items >= 1]"),
    ],
    blocks: &[],
};

const BUCKET_BLOCK: Schema = Schema {
    keys: &[
        ("source", "\"bucket-name\""),
        ("source_role", "\"arn:aws:iam::123456789012:role/name\""),
        ("target", "\"bucket-name\""),
        ("include", "[\"logs/*\"]"),
        ("exclude", "[\"*.tmp\"]"),
        ("verify", "[objects >= 1]"),
        ("batch_role", "\"arn:aws:iam::123456789012:role/name\""),
        ("batch_reports", "\"bucket-name\""),
        ("batch_above", "5000000"),
    ],
    blocks: &[],
};

const CATALOG: Schema = Schema {
    keys: &[
        ("source", "\"database\""),
        ("target", "\"database\""),
        ("from", "export(\"s3://bucket/key\")"),
        ("locations", "{ \"s3://old/\" = \"s3://new/\" }"),
        ("verify", "[tables >= 1]"),
    ],
    blocks: &[("athena", "athena { workgroup = \"NAME\" }")],
};

/// Reads an `aurora` block.
pub(super) fn cluster(reader: &mut Reader, block: &Block) -> Option<Cluster> {
    let name = reader.unique_label(block);
    let fields = Fields::new(reader, block, AURORA);
    let source = fields.required(reader, "source", named(CLUSTER));
    let target = target(reader, &fields, CLUSTER, "target cluster");
    let from =
        fields.required(reader, "from", choice("what to restore from", &["latest_snapshot"], &["snapshot", "global"]));
    let from = from.and_then(|from| match from {
        Choice::Word(_) => Some(ClusterSource::LatestSnapshot),
        Choice::Call("global", id) => {
            unrestored(reader, &fields);
            checked(reader, &fields, "from", GLOBAL_CLUSTER, id).map(ClusterSource::Global)
        }
        Choice::Call(_, id) => checked(reader, &fields, "from", SNAPSHOT, id).map(ClusterSource::Snapshot),
    });
    let restored = !matches!(from, Some(ClusterSource::Global(_)));
    let instances = fields.optional(reader, "instances", integer(1, MAX_INSTANCES)).unwrap_or(1);
    let adopt = adopt(reader, &fields, "aws_rds_cluster");
    let subnet_group = fields.optional(reader, "subnet_group", named(SUBNET_GROUP));
    let security_groups = fields.optional(reader, "security_groups", list(named(SECURITY_GROUP)));
    let rows = rows(reader, &fields);
    if let Some(target) = target.as_ref().filter(|_| restored) {
        let longest = target.len() + 1 + instances.to_string().len();
        if longest > MAX_INSTANCE_NAME {
            let message = format!("instances would be called {}", quoted(&format!("{target}-{instances}")));
            let label = format!("longer than {MAX_INSTANCE_NAME} characters");
            reader.hinted(fields.value_span("target"), message, label, "choose a shorter identifier");
        }
    }
    Some(Cluster {
        name: name?,
        source: source?,
        target: target?,
        from: from?,
        instances: u32::try_from(instances).ok()?,
        adopt,
        subnet_group,
        security_groups: security_groups.unwrap_or_default(),
        rows,
    })
}

/// Keys of what is restored have no meaning for a cluster that stands already.
fn unrestored(reader: &mut Reader, fields: &Fields<'_>) {
    const OWNED: &str = "a member of a global database belongs to the state that declares it: leave adopt out";
    const STANDS: &str = "the secondary cluster has its own already, and nothing is restored: leave it out";
    let keys = [
        ("adopt", "a member of a global database is not adopted", OWNED),
        ("instances", "no instances are made for a member of a global database", STANDS),
        ("subnet_group", "no subnet group is chosen for a member of a global database", STANDS),
        ("security_groups", "no security groups are chosen for a member of a global database", STANDS),
    ];
    for (key, message, hint) in keys.into_iter().filter(|(key, ..)| fields.has(key)) {
        reader.hinted(fields.span(key), message, "", hint);
    }
}

/// Reads a `table` block.
pub(super) fn table(reader: &mut Reader, block: &Block) -> Option<Table> {
    let name = reader.unique_label(block);
    let fields = Fields::new(reader, block, TABLE_BLOCK);
    let source = fields.required(reader, "source", named(TABLE));
    let target = target(reader, &fields, TABLE, "target table");
    let from =
        fields.required(reader, "from", choice("what to restore from", &["latest_backup", "replica"], &["backup"]));
    let from = from.and_then(|from| match from {
        Choice::Word("replica") => Some(TableSource::Replica),
        Choice::Word(_) => Some(TableSource::LatestBackup),
        Choice::Call(_, arn) => checked(reader, &fields, "from", BACKUP, arn).map(TableSource::Backup),
    });
    let aws_backup = aws_backup(reader, &fields, from.as_ref());
    let adopt = adopt(reader, &fields, "aws_dynamodb_table");
    let verify = fields.optional(reader, "verify", expectations(&[("items", Quantity::Items)]));
    if from == Some(TableSource::Replica) {
        if source.is_some() && target.is_some() && source != target {
            let hint = "all replicas of a global table have its name: write the same twice";
            reader.hinted(
                fields.value_span("target"),
                "the replica cannot have another name",
                "not the source's",
                hint,
            );
        }
        if adopt.is_some() {
            let hint = "a replica belongs to the state that declares its table: leave adopt out";
            reader.hinted(fields.span("adopt"), "a replica is not adopted", "", hint);
        }
    }
    Some(Table {
        name: name?,
        source: source?,
        target: target?,
        from: from?,
        aws_backup,
        adopt,
        verify: verify.unwrap_or_default(),
    })
}

/// Reads a `bucket` block.
pub(super) fn bucket(reader: &mut Reader, block: &Block) -> Option<Bucket> {
    let name = reader.unique_label(block);
    let fields = Fields::new(reader, block, BUCKET_BLOCK);
    let source = fields.required(reader, "source", named(BUCKET));
    let target = target(reader, &fields, BUCKET, "target bucket");
    if source.is_some() && source == target {
        let hint = "bucket names are global: the copy needs a bucket of its own";
        reader.hinted(fields.value_span("target"), "the bucket would be copied onto itself", "same as source", hint);
    }
    let counted = expectations(&[("objects", Quantity::Objects), ("bytes", Quantity::Bytes)]);
    let verify = fields.optional(reader, "verify", counted);
    let source_role = fields.optional(reader, "source_role", named(ROLE));
    let globs = |reader: &mut Reader, key| fields.optional(reader, key, list(string)).unwrap_or_default();
    let batch = batch(reader, &fields);
    let (include, exclude) = (globs(reader, "include"), globs(reader, "exclude"));
    Some(Bucket {
        name: name?,
        source: source?,
        source_role,
        target: target?,
        include,
        exclude,
        verify: verify.unwrap_or_default(),
        batch,
        engine: CopyEngine::default(),
    })
}

/// Reads a `catalog` block.
pub(super) fn catalog(reader: &mut Reader, block: &Block) -> Option<Catalog> {
    let name = reader.unique_label(block);
    let fields = Fields::new(reader, block, CATALOG);
    let source = fields.required(reader, "source", named(DATABASE));
    let target = target(reader, &fields, DATABASE, "target database");
    let from = fields.required(reader, "from", choice("what to restore from", &[], &["export", "replica"]));
    let from = from.and_then(|from| match from {
        Choice::Call("export", uri) => checked(reader, &fields, "from", OBJECT_URI, uri).map(CatalogSource::Export),
        Choice::Call(_, database) => checked(reader, &fields, "from", DATABASE, database).map(CatalogSource::Replica),
        Choice::Word(_) => None,
    });
    if let (Some(CatalogSource::Replica(replica)), Some(target)) = (&from, &target)
        && replica == target
    {
        let hint = "the replica and the target are both in the recovery region: name another database";
        reader.hinted(fields.value_span("from"), "the database would be restored from itself", "same as target", hint);
    }
    let locations = fields.required(reader, "locations", locations);
    let (verify, athena) = athena::verify(reader, &fields);
    Some(Catalog { name: name?, source: source?, target: target?, from: from?, locations: locations?, verify, athena })
}

/// The target's name, which nothing else of its kind may have.
fn target(reader: &mut Reader, fields: &Fields<'_>, rule: Rule, kind: &'static str) -> Option<String> {
    let target = fields.required(reader, "target", named(rule))?;
    reader.unique(kind, &target, &fields.value_span("target")).then_some(target)
}

/// An argument of a function under a key, judged by a rule.
fn checked(reader: &mut Reader, fields: &Fields<'_>, key: &str, rule: Rule, text: String) -> Option<String> {
    let Some(reason) = (rule.refuse)(&text) else { return Some(text) };
    reader.problem(fields.value_span(key), format!("{} is not {}", quoted(&text), rule.noun), reason);
    None
}

/// The Terraform address that the restored resource is adopted at; whether it exists is judged later.
fn adopt(reader: &mut Reader, fields: &Fields<'_>, kind: &'static str) -> Option<String> {
    let address = fields.optional(reader, "adopt", string)?;
    let span = fields.value_span("adopt");
    if reader.unique("adopted address", &address, &span) {
        reader.later(Later::Adopt { address: address.clone(), kind }, span);
    }
    Some(address)
}

fn locations(reader: &mut Reader, value: &Expression) -> Option<BTreeMap<String, String>> {
    let mut locations = BTreeMap::new();
    for (old, new) in object(reader, value)? {
        let serde_json::Value::String(new) = new else {
            let message = format!("the new location of {} is not a string", quoted(&old));
            reader.hinted(at(value), message, "", "write \"s3://old/\" = \"s3://new/\"");
            continue;
        };
        for location in [&old, &new] {
            if let Some(reason) = (LOCATION.refuse)(location) {
                reader.problem(at(value), format!("{} is not {}", quoted(location), LOCATION.noun), reason);
            }
        }
        if old.ends_with('/') != new.ends_with('/') {
            let message = format!("only one of {} and {} ends with a slash", quoted(&old), quoted(&new));
            let hint = "the old prefix is cut off and the new one put in its place: end both alike";
            reader.hinted(at(value), message, "", hint);
        }
        locations.insert(old, new);
    }
    Some(locations)
}
