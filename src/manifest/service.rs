//! Reads what the manifest says about the service as a whole: Terraform root, regions, objectives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;
use jiff::SignedDuration;

use super::names::{BUCKET, KEY, REGION, WORKSPACE};
use super::reader::{Fields, Later, Reader, Schema, at, header};
use super::values::{duration, integer, json, list, named, object, string, timeout};
use super::{ApprovalRule, Backend, Component, Objective, Region, TerraformRoot};
use crate::document::{nearest, quoted};

const TERRAFORM: Schema = Schema {
    keys: &[
        ("root", "\"../../infra\""),
        ("var_files", "[\"terraform.tfvars\"]"),
        ("binary", "\"terraform\""),
        ("parallelism", "10"),
        ("lock_timeout", "\"5m\""),
    ],
    blocks: &[],
};

const REGION_BLOCK: Schema = Schema {
    keys: &[
        ("name", "\"us-east-1\""),
        ("workspace", "\"prod-dr\""),
        ("backend", "{ bucket = \"…\", key = \"…\" }"),
        ("variables", "{ aws_region = \"us-east-1\" }"),
    ],
    blocks: &[],
};

const OBJECTIVE: Schema = Schema { keys: &[("rto", "\"4h\""), ("rpo", "\"15m\"")], blocks: &[] };

const APPROVAL: Schema = Schema { keys: &[("people", "2"), ("expires", "\"24h\"")], blocks: &[] };

const LOCK_TIMEOUT: SignedDuration = SignedDuration::from_mins(5);

/// What Terraform's S3 backend takes besides bucket and key (Terraform: "Backend Type: s3"). Credentials and keys are
/// left out: they belong into the environment, not into a file that is committed.
const BACKEND_ARGUMENTS: [&str; 29] = [
    "acl",
    "allowed_account_ids",
    "assume_role",
    "assume_role_with_web_identity",
    "custom_ca_bundle",
    "dynamodb_table",
    "ec2_metadata_service_endpoint",
    "ec2_metadata_service_endpoint_mode",
    "encrypt",
    "endpoints",
    "forbidden_account_ids",
    "http_proxy",
    "https_proxy",
    "insecure",
    "kms_key_id",
    "max_retries",
    "no_proxy",
    "profile",
    "retry_mode",
    "shared_config_files",
    "shared_credentials_files",
    "skip_credentials_validation",
    "skip_metadata_api_check",
    "skip_region_validation",
    "skip_requesting_account_id",
    "skip_s3_checksum",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "workspace_key_prefix",
];

/// Reads the `approval` block.
pub(super) fn approval(reader: &mut Reader, block: &Block) -> Option<ApprovalRule> {
    reader.unlabelled(block);
    let fields = Fields::new(reader, block, APPROVAL);
    let problems = reader.problems.len();
    let people = fields.optional(reader, "people", integer(1, 2));
    let expires = fields.optional(reader, "expires", timeout);
    let usual = ApprovalRule::default();
    let people = people.and_then(|people| u8::try_from(people).ok()).unwrap_or(usual.people);
    let rule = ApprovalRule { people, expires: expires.unwrap_or(usual.expires) };
    (reader.problems.len() == problems).then_some(rule)
}

/// Reads the `terraform` block; paths are relative to `folder`, the manifest's own.
pub(super) fn terraform(reader: &mut Reader, block: &Block, folder: &Path) -> Option<TerraformRoot> {
    reader.unlabelled(block);
    let fields = Fields::new(reader, block, TERRAFORM);
    let root = fields.required(reader, "root", |reader, value| {
        existing(reader, value, folder, Path::is_dir, "there is no such folder")
    });
    let var_files = fields.optional(
        reader,
        "var_files",
        list(|reader, value| existing(reader, value, folder, Path::is_file, "there is no such file")),
    );
    let binary = fields.optional(reader, "binary", string);
    let parallelism = fields.optional(reader, "parallelism", integer(1, 256));
    let lock_timeout = fields.optional(reader, "lock_timeout", duration);
    Some(TerraformRoot {
        root: root?,
        var_files: var_files.unwrap_or_default(),
        binary,
        parallelism: parallelism.and_then(|number| u32::try_from(number).ok()),
        lock_timeout: lock_timeout.unwrap_or(LOCK_TIMEOUT),
    })
}

/// A path that must lead somewhere, absolute and without `..`.
pub(super) fn existing(
    reader: &mut Reader,
    value: &Expression,
    folder: &Path,
    fits: impl Fn(&Path) -> bool,
    otherwise: &str,
) -> Option<PathBuf> {
    let text = string(reader, value)?;
    let path = std::fs::canonicalize(folder.join(&text)).ok().filter(|path| fits(path));
    if path.is_none() {
        let hint = format!("it is looked for in {}", folder.display());
        reader.hinted(at(value), format!("{} does not exist", quoted(&text)), otherwise, hint);
    }
    path
}

/// The two regions, primary and recovery.
pub(super) fn regions(reader: &mut Reader, file: &Fields<'_>) -> Option<(Region, Region)> {
    let mut found: BTreeMap<&str, (Region, Fields<'_>)> = BTreeMap::new();
    let mut named = Vec::new();
    for block in file.blocks("region") {
        let label = block.labels.first().map_or("", |label| label.as_str());
        let region = region(reader, block);
        if !["primary", "recovery"].contains(&label) || block.labels.len() > 1 {
            let hint = match nearest(label, ["primary", "recovery"]) {
                Some(nearest) => format!("did you mean region \"{nearest}\"?"),
                None => "there are region \"primary\" and region \"recovery\"".to_owned(),
            };
            reader.hinted(header(block), format!("{} is not a region's part", quoted(label)), "unknown", hint);
            continue;
        }
        if named.contains(&label) {
            reader.hinted(
                header(block),
                format!("there are two blocks region \"{label}\""),
                "the second",
                "remove one",
            );
        }
        named.push(label);
        if let (Some(region), fields) = region {
            found.insert(label, (region, fields));
        }
    }
    for label in ["primary", "recovery"] {
        if !named.contains(&label) {
            let message = format!("region \"{label}\" is missing in the manifest");
            reader.absent(&file.header, message, format!("write region \"{label}\" {{ … }}"));
        }
    }
    let (primary, _) = found.remove("primary")?;
    let (recovery, fields) = found.remove("recovery")?;
    differ(reader, &primary, &recovery, &fields);
    Some((primary, recovery))
}

/// What must not be shared: a recovery into the failed region, or one whose state lies there, is none.
fn differ(reader: &mut Reader, primary: &Region, recovery: &Region, fields: &Fields<'_>) {
    let same = |key: &'static str, same: bool, message: &str, hint: &str, reader: &mut Reader| {
        if same {
            reader.hinted(fields.value_span(key), message, "same as in region \"primary\"", hint);
        }
    };
    let hint = "recover to another region";
    same("name", primary.name == recovery.name, "the recovery region is the primary region", hint, reader);
    let hint = "another workspace keeps the primary's state untouched";
    same("workspace", primary.workspace == recovery.workspace, "both regions share a workspace", hint, reader);
    let shared = primary.backend.bucket == recovery.backend.bucket;
    let hint = "a bucket in the recovery region: the primary's cannot be read when its region is gone";
    same("backend", shared, "both regions share a backend bucket", hint, reader);
}

fn region<'a>(reader: &mut Reader, block: &'a Block) -> (Option<Region>, Fields<'a>) {
    let fields = Fields::new(reader, block, REGION_BLOCK);
    let name = fields.required(reader, "name", named(REGION));
    let workspace = fields.required(reader, "workspace", named(WORKSPACE));
    let backend = fields.required(reader, "backend", backend);
    let variables = fields.optional(reader, "variables", variables).unwrap_or_default();
    let region = name.zip(workspace).zip(backend);
    (region.map(|((name, workspace), backend)| Region { name, workspace, backend, variables }), fields)
}

fn variables(reader: &mut Reader, value: &Expression) -> Option<BTreeMap<String, serde_json::Value>> {
    for (key, _) in value.as_object().into_iter().flatten() {
        let name = key.as_ident().map(|ident| ident.to_string());
        let name = name.or_else(|| key.as_expr().and_then(Expression::as_str).map(str::to_owned));
        if let Some(name) = name {
            let span = hcl_edit::Span::span(key).unwrap_or_else(|| at(value));
            reader.later(Later::Variable(name), span);
        }
    }
    object(reader, value)
}

/// The arguments of the S3 backend.
fn backend(reader: &mut Reader, value: &Expression) -> Option<Backend> {
    let Some(items) = value.as_object() else {
        object(reader, value);
        return None;
    };
    let (mut bucket, mut key, mut use_lockfile, mut fits) = (None, None, None, true);
    let mut extra = BTreeMap::new();
    for (name, item) in items {
        let span = hcl_edit::Span::span(name).unwrap_or_else(|| at(value));
        let name =
            name.as_ident().map(|ident| ident.to_string()).or_else(|| name.as_expr()?.as_str().map(str::to_owned));
        match name.as_deref() {
            Some("bucket") => bucket = Some(named(BUCKET)(reader, item.expr())),
            Some("key") => key = Some(named(KEY)(reader, item.expr())),
            Some("use_lockfile") => use_lockfile = super::values::boolean(reader, item.expr()),
            Some(name) if BACKEND_ARGUMENTS.contains(&name) => {
                if let Some(value) = json(reader, item.expr()) {
                    extra.insert(name.to_owned(), value);
                }
            }
            name => {
                fits = false;
                let name = name.unwrap_or_default();
                let message = format!("{} is not an argument of the S3 backend here", quoted(name));
                *reader.problem(span, message, "unknown argument") = Some(refusal(name));
            }
        }
    }
    for (name, given) in [("bucket", bucket.is_some()), ("key", key.is_some())] {
        if !given {
            fits = false;
            reader.hinted(
                at(value),
                format!("{} is missing in the backend", quoted(name)),
                "",
                format!("write {name} = \"…\""),
            );
        }
    }
    let (bucket, key) = (bucket.flatten()?, key.flatten()?);
    fits.then(|| Backend { bucket, key, use_lockfile: use_lockfile.unwrap_or(false), extra })
}

fn refusal(name: &str) -> String {
    match name {
        "region" => "the region block's name is used".to_owned(),
        "access_key" | "secret_key" | "token" | "sse_customer_key" => {
            "secrets do not belong into this file: use the environment".to_owned()
        }
        "use_path_style" | "force_path_style" | "endpoint" => "a rehearsal sets it itself".to_owned(),
        _ => match nearest(name, BACKEND_ARGUMENTS.into_iter().chain(["bucket", "key", "use_lockfile"])) {
            Some(nearest) => format!("did you mean {}?", quoted(nearest)),
            None => "known are the arguments of Terraform's S3 backend".to_owned(),
        },
    }
}

/// The objectives by component.
pub(super) fn objectives(reader: &mut Reader, file: &Fields<'_>) -> BTreeMap<Component, Objective> {
    let mut objectives = BTreeMap::new();
    for block in file.blocks("objective") {
        let fields = Fields::new(reader, block, OBJECTIVE);
        let rto = fields.optional(reader, "rto", duration);
        let rpo = fields.optional(reader, "rpo", duration);
        if !fields.has("rto") && !fields.has("rpo") {
            let message = format!("{} promises nothing", fields.title);
            reader.hinted(
                header(block),
                message,
                "neither rto nor rpo",
                "write rto = \"4h\", rpo = \"15m\", or one of them",
            );
        }
        let Some(label) = reader.unique_label(block) else { continue };
        match component(&label) {
            Some(component) => _ = objectives.insert(component, Objective { rto, rpo }),
            None => {
                let hint = match nearest(&label, COMPONENTS.map(|(name, _)| name)) {
                    Some(nearest) => format!("did you mean objective \"{nearest}\"?"),
                    None => format!("known: {}", COMPONENTS.map(|(name, _)| name).join(", ")),
                };
                let message = format!("there is no component {}", quoted(&label));
                reader.hinted(header(block), message, "unknown", hint);
            }
        }
    }
    objectives
}

const COMPONENTS: [(&str, Component); 6] = [
    ("system", Component::System),
    ("infrastructure", Component::Infrastructure),
    ("aurora", Component::Aurora),
    ("table", Component::Table),
    ("bucket", Component::Bucket),
    ("catalog", Component::Catalog),
];

fn component(label: &str) -> Option<Component> {
    COMPONENTS.iter().find(|(name, _)| *name == label).map(|(_, component)| *component)
}
