//! The part of Terraform's CLI configuration that says where providers come from.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use super::host;
use crate::document::Document;
use crate::terraform::environment::Environment;
use crate::terraform::version::Product;

/// Where providers come from.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub methods: Vec<Method>,
    pub cache: Option<PathBuf>,
}

/// One installation method, and what it serves.
#[derive(Debug, PartialEq)]
pub(super) struct Method {
    pub kind: Kind,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    Folder(PathBuf),
    Network(String),
    /// The provider's own registry.
    Direct,
}

impl Method {
    fn serves(&self, source: &str) -> bool {
        let matches = |pattern: &String| {
            let parts = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
            let (pattern, source) = (parts(pattern), parts(source));
            pattern.len() == source.len() && pattern.iter().zip(&source).all(|(a, b)| a == "*" || a == b)
        };
        (self.include.is_empty() || self.include.iter().any(matches)) && !self.exclude.iter().any(matches)
    }

    pub fn folder(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Folder(path) => Some(path),
            Kind::Network(_) | Kind::Direct => None,
        }
    }

    /// Who is asked over the network for a provider.
    pub fn host(&self, source: &str) -> Option<String> {
        match &self.kind {
            Kind::Network(url) => Some(url.clone()),
            Kind::Direct => source.split('/').next().map(str::to_owned),
            Kind::Folder(_) => None,
        }
    }
}

impl Settings {
    /// Reads the configuration that Terraform would read; without one, its defaults.
    pub fn read(product: Product, environment: &Environment) -> Result<Self, String> {
        let body = match file(product, environment) {
            None => None,
            Some(path) => {
                // Tokens may stand in it.
                let body = Document::read_private(&path).and_then(|document| document.body());
                Some(body.map_err(|problem| format!("{} is not understood: {}", path.display(), problem.message))?)
            }
        };
        let cache = body.as_ref().and_then(|body| body.get_attribute("plugin_cache_dir")?.value.as_str());
        let cache = variable(environment, "TF_PLUGIN_CACHE_DIR").map(PathBuf::from).or(cache.map(PathBuf::from));
        let cache = cache.map(|path| at_home(&path, environment));
        let installation = body.as_ref().and_then(|body| body.get_blocks("provider_installation").next());
        let methods = match installation {
            Some(block) => block.body.blocks().flat_map(|block| methods(block, product, environment)).collect(),
            None => implied(environment),
        };
        Ok(Self { methods, cache })
    }

    /// The methods that Terraform asks for a provider: all that serve it.
    pub fn methods_for(&self, source: &str) -> Vec<&Method> {
        self.methods.iter().filter(|method| method.serves(source)).collect()
    }
}

fn variable<'a>(environment: &'a Environment, wanted: &str) -> Option<&'a OsStr> {
    environment.iter().find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| value.as_os_str())
}

fn home(environment: &Environment) -> PathBuf {
    variable(environment, "HOME").map(PathBuf::from).unwrap_or_default()
}

fn at_home(path: &Path, environment: &Environment) -> PathBuf {
    let home = home(environment);
    match path.strip_prefix("~").or_else(|_| path.strip_prefix("$HOME")) {
        Ok(rest) => home.join(rest),
        Err(_) => path.to_owned(),
    }
}

/// Terraform reads one file, and none if that is not there (Terraform: "CLI Configuration File", locations).
fn file(product: Product, environment: &Environment) -> Option<PathBuf> {
    if let Some(named) = variable(environment, "TF_CLI_CONFIG_FILE").or(variable(environment, "TERRAFORM_CONFIG")) {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let names: &[&str] = match product {
        Product::Terraform => &[".terraformrc"],
        Product::OpenTofu => &[".tofurc", ".terraformrc"],
    };
    names.iter().map(|name| home(environment).join(name)).find(|path| path.is_file())
}

fn methods(block: &Block, product: Product, environment: &Environment) -> Vec<Method> {
    let text = |name: &str| block.body.get_attribute(name)?.value.as_str().map(str::to_owned);
    let patterns = |name: &str| patterns(&block.body, name, product);
    let kind = match block.ident.as_str() {
        "filesystem_mirror" => text("path").map(|path| Kind::Folder(at_home(Path::new(&path), environment))),
        "network_mirror" => text("url").map(Kind::Network),
        "direct" => Some(Kind::Direct),
        _ => None,
    };
    kind.map(|kind| Method { kind, include: patterns("include"), exclude: patterns("exclude") }).into_iter().collect()
}

fn patterns(body: &Body, name: &str, product: Product) -> Vec<String> {
    let Some(Expression::Array(items)) = body.get_attribute(name).map(|it| &it.value) else { return Vec::new() };
    let full = |pattern: &str| match pattern.matches('/').count() {
        1 => format!("{}/{pattern}", host(product)),
        _ => pattern.to_owned(),
    };
    items.iter().filter_map(|item| item.as_str()).map(full).collect()
}

/// Without `provider_installation` (Terraform: "Implied Local Mirror Directories"): providers that stand in one of these
/// folders come from there alone, all others from their registry.
fn implied(environment: &Environment) -> Vec<Method> {
    let home = home(environment);
    let data = variable(environment, "XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    let more = variable(environment, "XDG_DATA_DIRS").map_or_else(
        || vec![PathBuf::from("/usr/local/share"), PathBuf::from("/usr/share")],
        |dirs| std::env::split_paths(dirs).collect(),
    );
    let folders = std::iter::once(home.join(".terraform.d/plugins"))
        .chain(std::iter::once(data).chain(more).map(|dir| dir.join("terraform/plugins")));
    let (mut methods, mut found) = (Vec::new(), Vec::new());
    for folder in folders {
        let providers = providers_in(&folder);
        if !providers.is_empty() {
            found.extend(providers.iter().cloned());
            methods.push(Method { kind: Kind::Folder(folder), include: providers, exclude: Vec::new() });
        }
    }
    methods.push(Method { kind: Kind::Direct, include: Vec::new(), exclude: found });
    methods
}

/// `HOST/NAMESPACE/TYPE` for each provider in a mirror.
fn providers_in(folder: &Path) -> Vec<String> {
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let kinds = below(folder).into_iter().flat_map(|host| below(&host)).flat_map(|namespace| below(&namespace));
    kinds.filter_map(|kind| kind.strip_prefix(folder).ok()?.to_str().map(str::to_owned)).collect()
}
