//! From an environment's name to its manifest, or to everything that is wrong with it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use hcl_edit::structure::Body;

use super::names::{ACCOUNT, LABEL};
use super::reader::{Fields, Reader, Schema, header};
use super::values::named;
use super::{
    Guards, Manifest, Rebuild, check, containment, cross, cutover, evidence, guards, rebuild, rotation, service, stores,
};
use crate::document::{Document, Invalid, Problem, nearest, quoted};
use crate::terraform::Root;

/// The manifest's name in an environment's folder.
pub const FILE: &str = "lifeboat.hcl";

const MANIFEST: Schema = Schema {
    keys: &[("service", "\"my-service\""), ("account", "\"123456789012\"")],
    blocks: &[
        ("terraform", "terraform { root = \"../../infra\" }"),
        ("region", "region \"recovery\" { … }"),
        ("objective", "objective \"system\" { rto = \"4h\" }"),
        ("aurora", "aurora \"NAME\" { … }"),
        ("table", "table \"NAME\" { … }"),
        ("bucket", "bucket \"NAME\" { … }"),
        ("catalog", "catalog \"NAME\" { … }"),
        ("check", "check \"NAME\" { … }"),
        ("cutover", "cutover \"NAME\" { … }"),
        ("approval", "approval { people = 2 }"),
        ("guard", "guard { max_destroys = 0 }"),
        ("containment", "containment { break_glass = [\"arn:aws:iam::123456789012:role/NAME\"] }"),
        ("rotation", "rotation { secrets = [\"my-service/api\"] }"),
        ("evidence", "evidence { bucket = \"security-evidence\" }"),
        ("rebuild", "rebuild { keep = [\"aws_s3_bucket.logs\"] }"),
    ],
};

/// Reads `ENVIRONMENTS_DIR/ENV/lifeboat.hcl` and judges it against the Terraform root that it names.
///
/// # Errors
/// There is no such environment, or anything in its manifest is wrong: all of it at once.
pub fn load(environments_dir: &Path, env: &str) -> Result<Manifest, Invalid> {
    let path = environments_dir.join(env).join(FILE);
    let inside = Path::new(env).file_name() == Some(OsStr::new(env));
    if inside && path.is_file() {
        return load_file(&path);
    }
    let known = environments(environments_dir);
    let document = Document::new(environments_dir, "");
    let problem = Problem::about(&document, format!("there is no environment {}", quoted(env)));
    let hint = if known.is_empty() {
        format!("write {}", path.display())
    } else if let Some(nearest) = nearest(env, known.iter().map(String::as_str)) {
        format!("did you mean {}? there are: {}", quoted(nearest), known.join(", "))
    } else {
        format!("there are: {}", known.join(", "))
    };
    Err(problem.hint(hint).into())
}

/// The names of the folders that hold a manifest.
pub fn environments(environments_dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(environments_dir).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().join(FILE).is_file());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Reads one manifest. The environment is called like the folder that the file is in.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_file(path: &Path) -> Result<Manifest, Invalid> {
    let document = Document::read(path)?;
    let absolute =
        fs::canonicalize(path).map_err(|error| Problem::about(&document, format!("cannot find the file: {error}")))?;
    let folder = absolute.parent().unwrap_or(Path::new("/"));
    let body = document.body()?;
    let mut reader = Reader::new(&document);
    let manifest = read(&mut reader, &body, &absolute, &environment(path, folder));
    if let Some(manifest) = &manifest {
        note(&mut reader, &body, "another region", cross::misplaced(manifest));
        note(&mut reader, &body, "the second", cross::set_twice(manifest));
        note(&mut reader, &body, "another account", cross::foreign_roles(manifest));
        let contained = manifest.containment.as_ref().map(|rule| rule.users.as_slice()).unwrap_or_default();
        let shut_out = rotation::shut_out(manifest.rotation.as_ref(), contained);
        note(&mut reader, &body, "this one", shut_out.into_iter().collect());
        note(&mut reader, &body, "not this", cross::uncontainable(manifest));
        note(&mut reader, &body, "not there", cross::perishable_evidence(manifest));
    }
    match (Invalid::of(reader.problems), manifest) {
        (Some(invalid), _) => Err(invalid),
        (None, Some(manifest)) => Ok(manifest),
        (None, None) => Err(Problem::about(&document, "the manifest could not be read").into()),
    }
}

/// The folder's name as it was given: what it links to may be called anything.
fn environment(given: &Path, folder: &Path) -> String {
    let given = std::path::absolute(given).unwrap_or_default();
    let name = given.parent().and_then(Path::file_name).or(folder.file_name());
    name.unwrap_or_default().to_string_lossy().into_owned()
}

fn read(reader: &mut Reader, body: &Body, path: &Path, environment: &str) -> Option<Manifest> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let file = Fields::of_file(reader, body, MANIFEST);
    let service = file.required(reader, "service", named(LABEL));
    let account = file.required(reader, "account", named(ACCOUNT));
    let terraform = file.only(reader, "terraform", true);
    let terraform = terraform.and_then(|block| service::terraform(reader, block, folder));
    let regions = service::regions(reader, &file);
    let objectives = service::objectives(reader, &file);
    let clusters = each(reader, &file, "aurora", stores::cluster);
    let tables = each(reader, &file, "table", stores::table);
    let buckets = each(reader, &file, "bucket", stores::bucket);
    let catalogs = each(reader, &file, "catalog", stores::catalog);
    let checks = each(reader, &file, "check", check::check);
    let cutovers = each(reader, &file, "cutover", cutover::cutover);
    let approval = file.only(reader, "approval", false).map(|block| service::approval(reader, block));
    let guards = file.only(reader, "guard", false);
    let guards = guards.map_or(Some(Guards::default()), |block| guards::guards(reader, block, folder));
    let containment = file.only(reader, "containment", false).map(|block| containment::containment(reader, block));
    let rotation = file.only(reader, "rotation", false).map(|block| rotation::rotation(reader, block));
    let evidence = file.only(reader, "evidence", false).map(|block| evidence::evidence(reader, block));
    let rebuild = file.only(reader, "rebuild", false);
    let rebuild = rebuild.map_or(Some(Rebuild::default()), |block| rebuild::rebuild(reader, block));
    let root = terraform.as_ref().and_then(|terraform| root(reader, &terraform.root));
    let names = file.blocks("aurora").filter_map(|block| Some(block.labels.first()?.as_str().to_owned()));
    cross::judge(reader, &names.collect::<BTreeSet<_>>(), root.as_ref());
    let (primary, recovery) = regions?;
    Some(Manifest {
        path: path.to_owned(),
        environment: environment.to_owned(),
        service: service?,
        account: account?,
        terraform: terraform?,
        primary,
        recovery,
        objectives,
        clusters: clusters?,
        tables: tables?,
        buckets: buckets?,
        catalogs: catalogs?,
        checks: checks?,
        cutovers: cutovers?,
        approval: approval.map_or(Some(None), |read| read.map(Some))?,
        guards: guards?,
        containment: containment.map_or(Some(None), |read| read.map(Some))?,
        rotation: rotation.map_or(Some(None), |read| read.map(Some))?,
        evidence: evidence.map_or(Some(None), |read| read.map(Some))?,
        rebuild: rebuild?,
    })
}

/// All blocks of a kind, in the order of the file; `None` if any is wrong, after all have been read.
fn each<T>(
    reader: &mut Reader,
    file: &Fields<'_>,
    kind: &'static str,
    read: impl Fn(&mut Reader, &hcl_edit::structure::Block) -> Option<T>,
) -> Option<Vec<T>> {
    let items: Vec<Option<T>> = file.blocks(kind).map(|block| read(reader, block)).collect();
    items.into_iter().collect()
}

fn root(reader: &mut Reader, path: &Path) -> Option<Root> {
    match Root::read(path) {
        Ok(root) => Some(root),
        Err(error) => {
            reader.problems.extend(error.invalid.problems);
            None
        }
    }
}

/// Notes what was found about blocks by their titles (title, message, hint).
fn note(reader: &mut Reader, body: &Body, label: &str, found: Vec<(String, String, String)>) {
    for (title, message, hint) in found {
        let block = body.blocks().find(|block| {
            let label = block.labels.first().map_or("", |label| label.as_str());
            format!("{} \"{label}\"", block.ident.as_str()) == title
        });
        let from = block.and_then(|block| block.body.get_attribute("from"));
        let span = from.map(|from| super::reader::at(&from.value)).or_else(|| block.map(header));
        reader.hinted(span.unwrap_or_default(), message, label, hint);
    }
}

#[cfg(test)]
#[path = "containment_tests.rs"]
mod containment_rules;

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod evidence_rules;

#[cfg(test)]
#[path = "fixtures.rs"]
mod fixtures;

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rules_tests.rs"]
mod rules;

#[cfg(test)]
#[path = "rebuild_tests.rs"]
mod rebuild_rules;

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod rotation_rules;
