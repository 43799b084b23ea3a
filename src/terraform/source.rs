//! Which commit the root is of, and whether it is as it was committed: asked of git, before anything is planned.
//!
//! What is compared is the staged copy, because that is what runs: each of its files with the file of its name in the commit
//! that is checked out, by git's own hash. `git status` is not asked: what it leaves out (ignored files, files that are assumed
//! to be unchanged) Terraform reads all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TerraformError;
use super::calls::{beside, bytes};
use super::prepare::{read_mark, write_mark};
use super::process::{self, Call};
use super::root::Root;
use super::stage::{self, Layout, is_foreign};
use super::version::on_path;
use super::workdir::Workdir;
use crate::manifest::CommitRule;

/// The program that knows (git: "git-ls-tree", "git-hash-object", "git-log").
const PROGRAM: &str = "git";
/// So many paths go into one call: far below what a system takes as arguments.
const PATHS_AT_ONCE: usize = 500;
/// The most that git may say: a listing of `MOST_FILES` long paths.
const SAID_BYTES: u64 = 64 * 1024 * 1024;
/// So many files that are not as in the commit are named.
const NAMED: usize = 10;

/// Where a root comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Commit(Box<Commit>),
    /// Nobody can say, and why.
    Unknown(String),
}

/// A commit, and how the root stands to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// In hexadecimal.
    pub id: String,
    pub committed_at: Timestamp,
    pub signature: Signature,
    /// Whoever has signed it, as git names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Files of the root, of its local modules, the manifest and var files that are not as in the commit, each with what is
    /// wrong. In the order of their names.
    pub unlike: Vec<String>,
    /// The manifest or var files that are not in the repository, which says nothing of them.
    pub beside: Vec<PathBuf>,
}

/// What git says of a commit's signature (git: "git-log", `%G?`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    Good,
    /// Good, and by a key that this machine does not trust.
    Untrusted,
    Bad,
    /// It, or its key, has expired.
    Expired,
    Revoked,
    /// Its key is not here, or no program to check it with.
    NotChecked,
    None,
}

impl Signature {
    fn of(letter: &str) -> Self {
        match letter {
            "G" => Self::Good,
            "U" => Self::Untrusted,
            "B" => Self::Bad,
            "X" | "Y" => Self::Expired,
            "R" => Self::Revoked,
            "N" => Self::None,
            _ => Self::NotChecked,
        }
    }

    /// Of a commit: `is signed`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Good => "signed",
            Self::Untrusted => "signed by a key that is not trusted here",
            Self::Bad => "its signature is BAD",
            Self::Expired => "its signature or the key of it has expired",
            Self::Revoked => "signed by a key that was revoked",
            Self::NotChecked => "its signature cannot be checked here",
            Self::None => "not signed",
        }
    }
}

impl Commit {
    /// The first files that are not as in the commit, and how many more there are.
    pub fn unlike_words(&self) -> String {
        let named: Vec<&str> = self.unlike.iter().take(NAMED).map(String::as_str).collect();
        let more = self.unlike.len() - named.len();
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        format!("{}{more}", named.join(", "))
    }
}

impl Source {
    /// In a line: `commit 3f2a91…, signed by Ana, the root is as in it`.
    pub fn words(&self) -> String {
        match self {
            Self::Unknown(why) => format!("of no known commit: {why}"),
            Self::Commit(commit) => {
                let by = commit.signer.as_ref().map_or_else(String::new, |signer| format!(" by {signer}"));
                let state = match commit.unlike.as_slice() {
                    [] => "the root is as in it".to_owned(),
                    _ => format!("NOT as in it: {}", commit.unlike_words()),
                };
                let beside: Vec<String> = commit.beside.iter().map(|path| path.display().to_string()).collect();
                let beside = match beside.as_slice() {
                    [] => String::new(),
                    beside => format!("; in no commit: {}", beside.join(", ")),
                };
                format!("commit {}, {}{by}; {state}{beside}", commit.id, commit.signature.words())
            }
        }
    }

    /// Why a root from there may not be built from; `None` where it may.
    pub fn refused(&self, rule: CommitRule) -> Option<String> {
        let commit = match (self, rule) {
            (_, CommitRule::Any) => return None,
            (Self::Unknown(why), _) => return Some(format!("is of no commit that could have been reviewed: {why}")),
            (Self::Commit(commit), _) => commit,
        };
        if !commit.unlike.is_empty() {
            return Some(format!("is not as in commit {}: {}", commit.id, commit.unlike_words()));
        }
        let unsigned = rule == CommitRule::Signed && commit.signature != Signature::Good;
        unsigned.then(|| format!("is of commit {}, which has to be signed: {}", commit.id, commit.signature.words()))
    }
}

/// A source as it was found for a staged copy.
#[derive(Serialize, Deserialize)]
struct SourceMark {
    /// SHA-256 of the copy.
    staged: String,
    source: Source,
}

/// A file of a commit's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Blob {
    is_link: bool,
    id: String,
}

type Tree = BTreeMap<PathBuf, Blob>;

/// A file that shall be as in the commit.
struct Wanted {
    /// Its path in the repository.
    name: PathBuf,
    /// The file whose content counts.
    file: PathBuf,
    /// Where it is a link: what that says.
    link: Option<PathBuf>,
}

impl Workdir {
    /// Where the staged copy with this SHA-256 comes from. Found out once, before anything is added to the copy.
    pub(super) async fn source(&self, staged: &str) -> Result<Source, TerraformError> {
        let path = self.path("source.json");
        if let Some(mark) = read_mark::<SourceMark>(&path).filter(|mark| mark.staged == staged) {
            return Ok(mark.source);
        }
        let source = self.source_of(&self.path("tree")).await;
        write_mark(&path, &SourceMark { staged: staged.to_owned(), source: source.clone() })?;
        Ok(source)
    }

    /// Where the root as it is now comes from, whatever the run has staged.
    ///
    /// # Errors
    /// It cannot be read or copied.
    pub(super) async fn source_now(&self) -> Result<Source, TerraformError> {
        let tree = self.path("now");
        stage::remove_folder(&tree)?;
        self.copied(&tree)?;
        let source = self.source_of(&tree).await;
        stage::remove_folder(&tree)?;
        Ok(source)
    }

    async fn source_of(&self, tree: &Path) -> Source {
        self.commit(tree).await.map_or_else(Source::Unknown, |commit| Source::Commit(Box::new(commit)))
    }

    async fn commit(&self, staged: &Path) -> Result<Commit, String> {
        let root = Root::read(&self.manifest.terraform.root).map_err(|error| error.to_string())?;
        let layout = Layout::new(&root.path, &root.local_modules);
        let git = Git::of(self)?;
        let top = git.ask(&root.path, ["rev-parse", "--show-toplevel"], &[]).await?;
        let top = PathBuf::from(OsString::from_vec(top.trim_ascii_end().to_vec()));
        let head = git.ask(&top, ["log", "-1", "--format=%H%x00%cI%x00%G?%x00%GS", "HEAD"], &[]).await?;
        let (id, committed_at, signature, signer) = head_of(&String::from_utf8_lossy(&head))?;
        let tree = tree_of(&git.ask(&top, ["ls-tree", "-r", "-z", "--full-tree", &id], &[]).await?)?;
        let (mut wanted, mut unlike) = (Vec::new(), BTreeSet::new());
        for file in files(staged).map_err(|error| format!("{}: {error}", staged.display()))? {
            let original = layout.original(staged, &file);
            match named_in(&top, &original) {
                Some(name) => wanted.push(Wanted { name, link: fs::read_link(&original).ok(), file }),
                None => drop(unlike.insert(format!("{} is outside of the repository", original.display()))),
            }
        }
        let there: BTreeSet<&Path> = wanted.iter().map(|it| it.name.as_path()).collect();
        let folders: Vec<PathBuf> = layout.folders().filter_map(|folder| named_in(&top, folder)).collect();
        let lost = tree.keys().filter(|name| folders.iter().any(|folder| name.starts_with(folder)) && !foreign(name));
        unlike.extend(
            lost.filter(|name| !there.contains(name.as_path())).map(|it| format!("{} is missing", it.display())),
        );
        let mut beside = Vec::new();
        for file in [&self.manifest.path].into_iter().chain(&self.manifest.terraform.var_files) {
            match named_in(&top, file).filter(|name| tree.contains_key(name)) {
                Some(name) => wanted.push(Wanted { name, link: fs::read_link(file).ok(), file: file.clone() }),
                None => beside.push(file.clone()),
            }
        }
        unlike.extend(git.compared(&top, &tree, &wanted).await?);
        Ok(Commit { id, committed_at, signature, signer, unlike: unlike.into_iter().collect(), beside })
    }
}

/// Files and links below a folder.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            false => found.push(entry.path()),
        }
    }
    Ok(found)
}

/// Staging leaves it out, wherever it is.
fn foreign(name: &Path) -> bool {
    name.ancestors().any(is_foreign)
}

/// The path of something in a repository, without following the last link.
fn named_in(top: &Path, path: &Path) -> Option<PathBuf> {
    let (folder, name) = (fs::canonicalize(path.parent()?).ok()?, path.file_name()?);
    folder.join(name).strip_prefix(top).ok().map(Path::to_owned)
}

fn head_of(said: &str) -> Result<(String, Timestamp, Signature, Option<String>), String> {
    let mut parts = said.trim_end_matches('\n').splitn(4, '\0');
    let mut next = || parts.next().ok_or_else(|| format!("git log says {said:?}"));
    let (id, at, signature, signer) = (next()?, next()?, next()?, next()?);
    let at = at.parse().map_err(|error| format!("git log says {at:?}: {error}"))?;
    let signer = Some(signer.to_owned()).filter(|signer| !signer.is_empty());
    Ok((id.to_owned(), at, Signature::of(signature), signer))
}

/// Reads `MODE TYPE ID\tPATH\0…` (git: "git-ls-tree").
fn tree_of(said: &[u8]) -> Result<Tree, String> {
    let lines = said.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    let blob = |line: &[u8]| {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let head = std::str::from_utf8(&line[..tab]).ok()?;
        let [mode, _, id] = head.split(' ').collect::<Vec<_>>()[..] else { return None };
        let path = PathBuf::from(OsStr::from_bytes(&line[tab + 1..]));
        Some((path, Blob { is_link: mode == "120000", id: id.to_owned() }))
    };
    let unread = |line: &[u8]| format!("git ls-tree says {:?}", String::from_utf8_lossy(line));
    lines.map(|line| blob(line).ok_or_else(|| unread(line))).collect()
}

/// git, as it is called here.
struct Git<'a> {
    workdir: &'a Workdir,
    program: PathBuf,
    env: Vec<(OsString, OsString)>,
}

impl<'a> Git<'a> {
    fn of(workdir: &'a Workdir) -> Result<Self, String> {
        let program = on_path(PROGRAM, &workdir.environment).ok_or("there is no git on PATH")?;
        // Where signers are known, and nothing that leads it to another repository.
        let passes = |name: &str| {
            matches!(name, "PATH" | "HOME" | "XDG_CONFIG_HOME" | "GNUPGHOME" | "TMPDIR" | "LANG")
                || name.starts_with("GIT_CONFIG_")
        };
        let env = workdir.environment.iter().filter(|(name, _)| passes(&name.to_string_lossy())).cloned();
        let own = [("GIT_OPTIONAL_LOCKS", "0"), ("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")];
        let env = env.chain(own.map(|(name, value)| (name.into(), value.into()))).collect();
        Ok(Self { workdir, program, env })
    }

    /// What it says to `words` and `paths` in a folder.
    async fn ask<const N: usize>(&self, dir: &Path, words: [&str; N], paths: &[&Path]) -> Result<Vec<u8>, String> {
        let log = self.workdir.next_log(PROGRAM).map_err(|error| error.to_string())?;
        let mut args: Vec<OsString> = words.iter().map(OsString::from).collect();
        args.extend(paths.iter().map(|path| path.as_os_str().to_owned()));
        let (program, env) = (self.program.clone(), self.env.clone());
        let call = Call { program, args, dir: dir.to_owned(), env, log: log.clone() };
        let asked = process::read(call, std::future::pending(), |output| bytes(output, SAID_BYTES)).await;
        let (said, ended) = asked.map_err(|error| format!("git cannot be run: {error}"))?;
        match ended.code {
            Some(0) => said.map_err(|error| format!("git cannot be heard: {error}")),
            code => {
                let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
                Err(format!("git {} ended with {code}{}", words[0], beside(&log)))
            }
        }
    }

    /// What of the files is not as in the tree.
    async fn compared(&self, top: &Path, tree: &Tree, wanted: &[Wanted]) -> Result<Vec<String>, String> {
        let mut unlike = Vec::new();
        let mut contents: Vec<(&Path, &Path, &Blob)> = Vec::new();
        for Wanted { name, file, link } in wanted {
            let shown = name.display();
            match (tree.get(name), link) {
                (None, _) => unlike.push(format!("{shown} is in no commit")),
                (Some(blob), None) if !blob.is_link => contents.push((name, file, blob)),
                (Some(blob), Some(link)) if blob.is_link => {
                    let committed = self.ask(top, ["cat-file", "blob", &blob.id], &[]).await?;
                    if committed != link.as_os_str().as_bytes() {
                        unlike.push(format!("{shown} leads elsewhere"));
                        continue;
                    }
                    // A link within the copy leads to a file that is compared by itself.
                    if !fs::symlink_metadata(file).is_ok_and(|it| it.is_file()) {
                        continue;
                    }
                    let end = fs::canonicalize(top.join(name)).ok().and_then(|end| named_in(top, &end));
                    match end.and_then(|end| tree.get(&end)).filter(|blob| !blob.is_link) {
                        Some(blob) => contents.push((name, file, blob)),
                        None => unlike.push(format!("{shown} leads to a file that is in no commit")),
                    }
                }
                (Some(_), _) => unlike.push(format!("{shown} is changed")),
            }
        }
        for some in contents.chunks(PATHS_AT_ONCE) {
            let paths: Vec<&Path> = some.iter().map(|(_, file, _)| *file).collect();
            let said = self.ask(top, ["hash-object", "--no-filters", "--"], &paths).await?;
            let said = String::from_utf8_lossy(&said).into_owned();
            let ids: Vec<&str> = said.lines().collect();
            if ids.len() != some.len() {
                return Err(format!("git hash-object tells {} hashes of {} files", ids.len(), some.len()));
            }
            let changed = some.iter().zip(ids).filter(|((.., blob), id)| blob.id != *id);
            unlike.extend(changed.map(|((name, ..), _)| format!("{} is changed", name.display())));
        }
        Ok(unlike)
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
