//! The recovery var file means to the real Terraform what the base var files mean: read by a root of outputs only, so
//! that no provider is needed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lifeboat::document::{Value, attribute};
use lifeboat::templates::Templates;
use lifeboat::terraform::Root;
use lifeboat::terraform::tfvars::{Sources, recovery};
use serde_json::json;

/// What people write, and what is known to be read differently by different readers of HCL.
const WRITTEN: &str = r#"
v_heredoc = <<EOT
plain
	tab, "quotes", \n is not a newline, $${escaped} %%{too}
EOT
v_flush = <<-EOT
    four

      six
    four again
  EOT
v_blank_start = <<-EOT

    text
      more
    EOT
v_flush_spaces = <<-EOT
    text
  
      \tmore
	tab
    EOT
v_flush_tabs = <<-EOT
	one
		two
	EOT
v_flush_escape = <<-EOT
    $${x}
      100%
    EOT
v_two_in_a_list = [<<A
first
A
, "second"]
v_escapes  = "tab\t newline\n quote\" backslash\\ \u00e9 \U0001f600 $${x} %%{y} 100% 5$ $$ %% $"
v_price    = "$5 {x} %d{y}"
v_big      = 123456789012345678901234567890
v_small    = -0.000000123456789
v_decimal  = 1.50
v_exponent = 6.02e23
v_computed = 60 * 24
v_null     = null
v_bools    = [true, false]
v_nested   = {
  "key with spaces" = { a = { b = [{ c = null }, { c = [] }] } }
  for               = "keyword"
  "dotted.key"      = {}
  1                 = "number as key"
  colon : "colon"
}
v_unicode = "naïve 日本語 🚀"
"#;

/// Strings that a writer of HCL gets wrong first.
fn awkward() -> Vec<String> {
    let mut texts: Vec<String> = [
        "$",
        "%",
        "$$",
        "${",
        "$${",
        "$$${",
        "$$$${x}",
        "%{",
        "%%{",
        "%%%{",
        "$%{",
        "%${",
        "${}",
        "\\${",
        "\\",
        "\"",
        "\n",
        "\n\n",
        "a\nb",
        "a\nb\n",
        "EOT\nEOT\n",
        " EOT\n  EOT\n",
        "\r\n",
        "\t",
        "a\rb",
        "~}",
        "#",
        "//",
        "\u{7f}",
        "\u{1b}[0m",
        "\u{2028}",
        "",
        " ",
        "trailing \n space \n",
        "\n\nleading\n",
        "<<EOT\nx\nEOT\n",
        "'",
        "`",
        "a\u{0}b",
    ]
    .map(str::to_owned)
    .to_vec();
    for first in ["$", "%", "\\", "{", "\""] {
        for second in ["$", "%", "\\", "{", "\""] {
            for third in ["$", "%", "\\", "{", "}", "\"", "\n"] {
                texts.push(format!("{first}{second}{third}"));
                texts.push(format!("x\n{first}{second}{third}\n"));
            }
        }
    }
    texts
}

#[test]
fn terraform_reads_the_recovery_var_file_as_it_reads_the_base_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = folder.path().join("base.tfvars");
    fs::write(&base, WRITTEN).expect("a file written");
    let names: Vec<&str> =
        WRITTEN.lines().filter_map(|line| line.strip_prefix("v_")?.split_once(' ')).map(|(n, _)| n).collect();
    let names: Vec<String> = names.iter().map(|name| format!("v_{name}")).collect();
    let root = root(folder.path(), &names);
    let sources = Sources {
        base: std::slice::from_ref(&base),
        overrides: &BTreeMap::new(),
        region: "us-east-1",
        from_environment: &[],
    };
    let generated = recovery(&Templates::new(None).expect("templates"), &sources, &root).expect("a var file");
    let path = folder.path().join("recovery.tfvars");
    fs::write(&path, &generated).expect("a file written");
    let (expected, found) = (outputs(&root.path, &base), outputs(&root.path, &path));
    assert_eq!(expected.len(), names.len() - 1, "all but the null: an output without a value is none");
    assert!(!found.contains_key("v_null"));
    for (name, value) in &expected {
        assert_eq!(found[name], *value, "{name}\n{generated}");
    }
}

#[test]
fn terraform_reads_awkward_texts_as_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let texts = awkward();
    let names: Vec<String> = (0..texts.len()).map(|index| format!("v_{index}")).collect();
    let root = root(folder.path(), &names);
    let overrides: BTreeMap<String, serde_json::Value> =
        names.iter().zip(&texts).map(|(name, text)| (name.clone(), json!([text, { text.as_str(): text }]))).collect();
    let sources = Sources { base: &[], overrides: &overrides, region: "us-east-1", from_environment: &[] };
    let nested = folder.path().join("nested.tfvars");
    fs::write(&nested, recovery(&Templates::new(None).expect("templates"), &sources, &root).expect("a var file"))
        .expect("a file written");
    let plain = folder.path().join("plain.tfvars");
    let lines = names.iter().zip(&texts).map(|(name, text)| attribute(name, &Value::String(text.clone())));
    fs::write(&plain, lines.collect::<String>()).expect("a file written");
    let (nested, plain) = (outputs(&root.path, &nested), outputs(&root.path, &plain));
    for (name, text) in names.iter().zip(&texts) {
        assert_eq!(plain[name], json!(text), "at the top");
        assert_eq!(nested[name], overrides[name], "in a collection");
    }
}

/// A root that gives each variable back as an output.
fn root(folder: &Path, names: &[String]) -> Root {
    let path = folder.join("root");
    fs::create_dir(&path).expect("a file written");
    let blocks = names.iter().map(|name| {
        format!("variable \"{name}\" {{\n  type = any\n}}\noutput \"{name}\" {{\n  value = var.{name}\n}}\n")
    });
    fs::write(path.join("main.tf"), blocks.collect::<String>()).expect("a file written");
    Root::read(&path).expect("a root")
}

fn outputs(root: &Path, var_file: &Path) -> BTreeMap<String, serde_json::Value> {
    let state = var_file.with_extension("tfstate");
    let data = var_file.with_extension("data");
    terraform(root, &data, &["init", "-backend=false", "-input=false"]);
    let args = ["apply", "-auto-approve", "-input=false", "-no-color"].map(str::to_owned);
    let files = [format!("-state={}", state.display()), format!("-var-file={}", var_file.display())];
    let args: Vec<String> = args.into_iter().chain(files).collect();
    terraform(root, &data, &args.iter().map(String::as_str).collect::<Vec<_>>());
    let text = terraform(root, &data, &["output", "-json", &format!("-state={}", state.display())]);
    let outputs: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).expect("outputs");
    outputs.into_iter().map(|(name, output)| (name, output["value"].clone())).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the real Terraform judges the file, without lifeboat's own process code"
)]
fn terraform(root: &Path, data: &Path, args: &[&str]) -> String {
    let binary = std::env::var_os("LIFEBOAT_TF_BIN").map_or_else(|| PathBuf::from("terraform"), PathBuf::from);
    let mut command = std::process::Command::new(binary);
    command.current_dir(root).args(args).env("TF_DATA_DIR", data).env("CHECKPOINT_DISABLE", "1");
    let run = command.output().expect("terraform must be on the PATH");
    assert!(run.status.success(), "{args:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).expect("text")
}
