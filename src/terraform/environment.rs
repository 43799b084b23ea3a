//! The environment that Terraform runs in, as a pure function of the operator's.
//!
//! Kept: credentials, endpoints, proxies, `TF_CLI_CONFIG_FILE`, `TF_PLUGIN_CACHE_DIR`, and `TF_VAR_*` of variables that
//! the root declares, because that is how secrets are given that must not stand in a file (var files win over them).
//! Dropped: what would change the meaning of a call behind lifeboat's back (`TF_CLI_ARGS*`, `TF_WORKSPACE`,
//! `TF_DATA_DIR`, `TF_VAR_*` that the root does not declare).

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::path::Path;

/// Names and values.
pub type Environment = Vec<(OsString, OsString)>;

/// Where one call of Terraform keeps what is not its output.
#[derive(Clone, Copy, Debug)]
pub struct Paths<'a> {
    /// `TF_DATA_DIR`
    pub data: &'a Path,
    /// Its log of itself: which locks it asked for.
    pub trace: &'a Path,
}

/// Terraform's environment (Terraform: "Environment Variables").
pub fn terraform(given: &Environment, declared: &BTreeSet<String>, paths: &Paths<'_>, region: &str) -> Environment {
    let ours: [(&str, &OsStr); 8] = [
        ("TF_DATA_DIR", paths.data.as_os_str()),
        ("TF_LOG_CORE", OsStr::new("INFO")),
        ("TF_LOG_PATH", paths.trace.as_os_str()),
        ("TF_IN_AUTOMATION", OsStr::new("1")),
        ("TF_INPUT", OsStr::new("0")),
        ("CHECKPOINT_DISABLE", OsStr::new("1")),
        ("AWS_REGION", OsStr::new(region)),
        ("AWS_DEFAULT_REGION", OsStr::new(region)),
    ];
    let kept = given.iter().filter(|(name, _)| {
        let name = name.to_string_lossy();
        passes(&name, declared) && !ours.iter().any(|(our, _)| *our == name)
    });
    kept.cloned().chain(ours.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)))).collect()
}

fn passes(name: &str, declared: &BTreeSet<String>) -> bool {
    match name.strip_prefix("TF_VAR_") {
        Some(variable) => declared.contains(variable),
        None => name != "TF_WORKSPACE" && !name.starts_with("TF_CLI_ARGS"),
    }
}

/// Whether S3 must be asked by path: its endpoint is an address or `localhost`, where a bucket cannot be a host name.
pub fn needs_path_style(given: &Environment) -> bool {
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|wanted| given.iter().find(|(name, value)| name == wanted && !value.is_empty()));
    endpoint.and_then(|(_, value)| value.to_str()).is_some_and(|url| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        host == "localhost" || host.parse::<IpAddr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    #[test]
    fn nothing_of_the_operators_shell_changes_what_terraform_does() {
        let given = env(&[
            ("AWS_PROFILE", "dr"),
            ("AWS_REGION", "eu-west-2"),
            ("AWS_DEFAULT_REGION", "eu-west-2"),
            ("TF_WORKSPACE", "prod"),
            ("TF_CLI_ARGS_plan", "-destroy"),
            ("TF_CLI_ARGS", "-lock=false"),
            ("TF_DATA_DIR", ".terraform"),
            ("TF_VAR_master_password", "hunter2"),
            ("TF_VAR_stray", "1"),
            ("TF_CLI_CONFIG_FILE", "/etc/rc"),
        ]);
        let paths = Paths { data: Path::new("/run/data"), trace: Path::new("/run/log/01-plan.trace") };
        let declared = BTreeSet::from(["master_password".to_owned()]);
        let made = terraform(&given, &declared, &paths, "us-east-1");
        let expected = env(&[
            ("AWS_PROFILE", "dr"),
            ("TF_VAR_master_password", "hunter2"),
            ("TF_CLI_CONFIG_FILE", "/etc/rc"),
            ("TF_DATA_DIR", "/run/data"),
            ("TF_LOG_CORE", "INFO"),
            ("TF_LOG_PATH", "/run/log/01-plan.trace"),
            ("TF_IN_AUTOMATION", "1"),
            ("TF_INPUT", "0"),
            ("CHECKPOINT_DISABLE", "1"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ]);
        assert_eq!(made, expected);
    }

    #[test]
    fn an_emulators_buckets_are_asked_by_path() {
        for url in ["http://127.0.0.1:5000", "http://localhost:4566/", "http://[::1]:5000", "10.0.0.9:5000"] {
            assert!(needs_path_style(&env(&[("AWS_ENDPOINT_URL", url)])), "{url}");
        }
        for url in ["https://s3.us-east-1.amazonaws.com", "https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com", ""] {
            assert!(!needs_path_style(&env(&[("AWS_ENDPOINT_URL_S3", url)])), "{url}");
        }
        assert!(!needs_path_style(&env(&[])));
    }
}
