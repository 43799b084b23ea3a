//! Terraform's argument lists, as pure functions: building one runs nothing, so that tests compare lists.
//!
//! No value of a variable ever stands in an argument list (anyone on the machine can read those); values go by file.

use std::ffi::OsString;
use std::path::Path;

use jiff::SignedDuration;

use super::version::Product;

/// The arguments of one call, without the program.
pub type Args = Vec<OsString>;

/// The longest total of `-target` or `-exclude` arguments, in bytes. Linux takes about 2 MiB for arguments and
/// environment together (execve(2): "Limits on size of arguments and environment").
pub const SELECTION_BYTES: usize = 1024 * 1024;

/// Which resources a plan is limited to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    #[default]
    All,
    /// Only these and what they depend on (Terraform: "Resource Targeting").
    Target(Vec<String>),
    /// All but these and what depends on them (OpenTofu: "Resource Targeting").
    Exclude(Vec<String>),
}

impl Selection {
    /// How many bytes it adds to the argument list.
    pub fn bytes(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Target(addresses) | Self::Exclude(addresses) => {
                addresses.iter().map(|address| address.len() + "-exclude=".len() + 1).sum()
            }
        }
    }
}

/// Whether a plan takes the state lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    Wait(SignedDuration),
    /// For plans that are read and never applied.
    Without,
}

/// The arguments of `plan`.
#[derive(Clone, Debug)]
pub struct Planning<'a> {
    pub out: &'a Path,
    /// In the order in which later ones win.
    pub var_files: &'a [&'a Path],
    pub lock: Lock,
    pub refresh: bool,
    pub parallelism: Option<u32>,
    pub selection: &'a Selection,
    /// Plans that everything selected, and what depends on it, is destroyed (Terraform: "Planning Modes").
    pub destroy: bool,
}

/// `version`: the plain form, because the JSON form does not say whether it is Terraform or OpenTofu.
pub fn version() -> Args {
    list(&["version"])
}

/// `init` (Terraform: "Command: init").
pub fn init(product: Product, backend_config: &[&Path], lock_timeout: SignedDuration) -> Args {
    let mut args = list(&["init", "-reconfigure", "-input=false"]);
    args.push(match product {
        Product::Terraform => "-json".into(),
        Product::OpenTofu => "-no-color".into(),
    });
    args.push(timeout(lock_timeout));
    args.extend(backend_config.iter().map(|path| option("-backend-config=", path)));
    args
}

pub fn workspace_list() -> Args {
    list(&["workspace", "list", "-no-color"])
}

pub fn workspace_show() -> Args {
    list(&["workspace", "show"])
}

pub fn workspace_select(name: &str) -> Args {
    list(&["workspace", "select", "-no-color", name])
}

pub fn workspace_new(name: &str, lock_timeout: SignedDuration) -> Args {
    let mut args = list(&["workspace", "new", "-no-color"]);
    args.push(timeout(lock_timeout));
    args.push(name.into());
    args
}

/// `plan` (Terraform: "Command: plan").
pub fn plan(planning: &Planning<'_>) -> Args {
    let mut args = list(&["plan", "-json", "-input=false", "-detailed-exitcode"]);
    args.push(option("-out=", planning.out));
    args.push(match planning.lock {
        Lock::Wait(limit) => timeout(limit),
        Lock::Without => "-lock=false".into(),
    });
    if !planning.refresh {
        args.push("-refresh=false".into());
    }
    if planning.destroy {
        args.push("-destroy".into());
    }
    args.extend(parallelism(planning.parallelism));
    args.extend(planning.var_files.iter().map(|path| option("-var-file=", path)));
    match planning.selection {
        Selection::All => {}
        Selection::Target(addresses) => args.extend(addresses.iter().map(|it| format!("-target={it}").into())),
        Selection::Exclude(addresses) => args.extend(addresses.iter().map(|it| format!("-exclude={it}").into())),
    }
    args
}

/// `show -json` of a saved plan.
pub fn show(plan: &Path) -> Args {
    let mut args = list(&["show", "-json"]);
    args.push(plan.into());
    args
}

/// `apply` of a saved plan (Terraform: "Command: apply"). Options that shape a plan are refused here by Terraform.
pub fn apply(plan: &Path, lock_timeout: SignedDuration, threads: Option<u32>) -> Args {
    let mut args = list(&["apply", "-json", "-input=false"]);
    args.push(timeout(lock_timeout));
    args.extend(parallelism(threads));
    args.push(plan.into());
    args
}

pub fn state_pull() -> Args {
    list(&["state", "pull"])
}

/// `state push`: refused by Terraform where lineage or serial do not fit (Terraform: "Command: state push"); `-force`
/// is never given.
pub fn state_push(state: &Path, lock_timeout: SignedDuration) -> Args {
    let mut args = list(&["state", "push"]);
    args.push(timeout(lock_timeout));
    args.push(state.into());
    args
}

/// `force-unlock` of the lock with that id; Terraform refuses another (Terraform: "Command: force-unlock"). `-force` only
/// leaves out the question.
pub fn force_unlock(id: &str) -> Args {
    list(&["force-unlock", "-force", id])
}

/// Takes the lock for a moment and lets it go: where it is held, Terraform says by whom. The resource is none, so that
/// there is nothing to change.
pub fn ask_for_lock() -> Args {
    let none = "terraform_data.lifeboat_asks_who_holds_the_lock";
    list(&["untaint", "-no-color", "-allow-missing", "-lock-timeout=0s", none])
}

/// `untaint`: keeps an instance that would be replaced (Terraform: "Command: untaint").
pub fn untaint(address: &str, lock_timeout: SignedDuration) -> Args {
    let mut args = list(&["untaint", "-no-color"]);
    args.push(timeout(lock_timeout));
    args.push(address.into());
    args
}

/// `graph`: what depends on what, as DOT (Terraform: "Command: graph").
pub fn graph() -> Args {
    list(&["graph"])
}

fn list(words: &[&str]) -> Args {
    words.iter().map(OsString::from).collect()
}

fn option(name: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(name);
    argument.push(path);
    argument
}

fn parallelism(threads: Option<u32>) -> Option<OsString> {
    threads.map(|threads| format!("-parallelism={threads}").into())
}

fn timeout(limit: SignedDuration) -> OsString {
    format!("-lock-timeout={}s", limit.as_secs().max(0)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(args: &Args) -> Vec<&str> {
        args.iter().filter_map(|word| word.to_str()).collect()
    }

    const TWO_MINUTES: SignedDuration = SignedDuration::from_secs(120);

    #[test]
    fn init_asks_nothing_and_migrates_nothing() {
        let args = init(Product::Terraform, &[Path::new("/run/backend.hcl")], TWO_MINUTES);
        assert_eq!(
            words(&args),
            ["init", "-reconfigure", "-input=false", "-json", "-lock-timeout=120s", "-backend-config=/run/backend.hcl"]
        );
        assert!(words(&init(Product::OpenTofu, &[], TWO_MINUTES)).contains(&"-no-color"));
    }

    #[test]
    fn a_plan_is_saved_locked_and_told_by_its_exit_code() {
        let args = plan(&Planning {
            out: Path::new("/run/base.tfplan"),
            var_files: &[Path::new("/run/terraform.tfvars"), Path::new("/run/recovery.tfvars")],
            lock: Lock::Wait(TWO_MINUTES),
            refresh: true,
            parallelism: Some(20),
            selection: &Selection::Target(vec!["aws_vpc.main".into(), "module.db.aws_kms_key.it".into()]),
            destroy: false,
        });
        assert_eq!(
            words(&args),
            [
                "plan",
                "-json",
                "-input=false",
                "-detailed-exitcode",
                "-out=/run/base.tfplan",
                "-lock-timeout=120s",
                "-parallelism=20",
                "-var-file=/run/terraform.tfvars",
                "-var-file=/run/recovery.tfvars",
                "-target=aws_vpc.main",
                "-target=module.db.aws_kms_key.it",
            ]
        );
    }

    #[test]
    fn a_plan_that_is_only_read_leaves_the_lock_alone() {
        let args = plan(&Planning {
            out: Path::new("p"),
            var_files: &[],
            lock: Lock::Without,
            refresh: false,
            parallelism: None,
            selection: &Selection::Exclude(vec!["aws_rds_cluster.logs".into()]),
            destroy: true,
        });
        let expected = [
            "plan",
            "-json",
            "-input=false",
            "-detailed-exitcode",
            "-out=p",
            "-lock=false",
            "-refresh=false",
            "-destroy",
            "-exclude=aws_rds_cluster.logs",
        ];
        assert_eq!(words(&args), expected);
    }

    #[test]
    fn an_apply_takes_nothing_but_the_saved_plan() {
        let args = apply(Path::new("/run/base.tfplan"), TWO_MINUTES, None);
        assert_eq!(words(&args), ["apply", "-json", "-input=false", "-lock-timeout=120s", "/run/base.tfplan"]);
        assert_eq!(words(&show(Path::new("p"))), ["show", "-json", "p"]);
    }

    #[test]
    fn custody_never_forces_a_state_and_unlocks_by_id_alone() {
        let push = state_push(Path::new("/run/errored/ab.tfstate"), TWO_MINUTES);
        assert_eq!(words(&push), ["state", "push", "-lock-timeout=120s", "/run/errored/ab.tfstate"]);
        assert_eq!(words(&force_unlock("c2a1")), ["force-unlock", "-force", "c2a1"]);
        assert!(words(&ask_for_lock()).contains(&"-lock-timeout=0s"));
    }

    #[test]
    fn workspaces_are_named_not_created_by_accident() {
        assert_eq!(words(&workspace_select("prod-dr")), ["workspace", "select", "-no-color", "prod-dr"]);
        let new = workspace_new("prod-dr", TWO_MINUTES);
        assert_eq!(words(&new), ["workspace", "new", "-no-color", "-lock-timeout=120s", "prod-dr"]);
    }

    #[test]
    fn the_size_of_a_selection_counts_every_byte_of_it() {
        let selection = Selection::Target(vec!["a.b".into(), "c.d".into()]);
        assert_eq!(selection.bytes(), 2 * ("-exclude=a.b".len() + 1));
        assert_eq!(Selection::All.bytes(), 0);
    }
}
