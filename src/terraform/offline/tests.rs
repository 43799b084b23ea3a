//! Roots and CLI configurations as people write them, in folders of their own.

use std::ffi::OsString;
use std::fs;

use super::*;

const AWS: &str = "registry.terraform.io/hashicorp/aws";

struct Machine {
    dir: tempfile::TempDir,
    environment: Environment,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let environment = ["HOME", "XDG_DATA_DIRS"].map(|name| (OsString::from(name), dir.path().into())).to_vec();
        let machine = Self { dir, environment };
        machine.file("root/main.tf", "resource \"aws_vpc\" \"a\" {}\nresource \"terraform_data\" \"b\" {}\n");
        machine
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn lock(&self, version: &str) {
        let text = format!("provider \"{AWS}\" {{\n  version = \"{version}\"\n  hashes = [\"h1:x\"]\n}}\n");
        self.file("root/.terraform.lock.hcl", &text);
    }

    fn configure(&self, text: &str) {
        self.file(".terraformrc", &text.replace("HERE", &self.dir.path().to_string_lossy()));
    }

    fn mirror(&self, name: &str, version: &str) {
        self.file(&format!("{name}/{AWS}/{version}/{}/terraform-provider-aws_v{version}", platform()), "");
    }

    fn offline(&self) -> Offline {
        look(&Root::read(&self.dir.path().join("root")).unwrap(), Product::Terraform, &self.environment)
    }

    /// Of the only provider.
    fn place(&self) -> Place {
        let mut found = self.offline().providers;
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0).place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn registry() -> String {
    "registry.terraform.io".to_owned()
}

#[test]
fn without_any_configuration_everything_is_downloaded_but_what_stands_in_an_implied_mirror() {
    let machine = Machine::new();
    machine.lock("5.100.0");
    assert_eq!(machine.place(), Place::Download(registry()));
    machine.mirror(".terraform.d/plugins", "5.99.0");
    assert_eq!(machine.place(), Place::Nowhere, "the registry is not asked for it any more");
    machine.mirror(".terraform.d/plugins", "5.100.0");
    assert_eq!(machine.place(), Place::Here(machine.at(".terraform.d/plugins")));
}

#[test]
fn a_mirror_is_enough_only_where_no_registry_is_asked_as_well() {
    let machine = Machine::new();
    machine.lock("5.100.0");
    machine.mirror("mirror", "5.100.0");
    let with = |direct: &str| {
        machine.configure(&format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path    = \"HERE/mirror\"\n    include = \
             [\"hashicorp/*\"]\n  }}\n  {direct}\n}}\n"
        ));
        machine.place()
    };
    assert_eq!(with(""), Place::Here(machine.at("mirror")));
    assert_eq!(
        with("direct {\n    exclude = [\"registry.terraform.io/hashicorp/aws\"]\n  }"),
        Place::Here(machine.at("mirror"))
    );
    assert_eq!(with("direct {}"), Place::Download(registry()));
    let network = "network_mirror {\n    url = \"https://mirror.example.com/\"\n  }";
    assert_eq!(with(network), Place::Download("https://mirror.example.com/".into()));
}

#[test]
fn a_packed_provider_counts_and_one_for_another_machine_does_not() {
    let machine = Machine::new();
    machine.lock("5.100.0");
    machine.configure("provider_installation {\n  filesystem_mirror {\n    path = \"HERE/mirror\"\n  }\n}\n");
    machine.file(&format!("mirror/{AWS}/terraform-provider-aws_5.100.0_plan9_arm.zip"), "");
    assert_eq!(machine.place(), Place::Nowhere);
    machine.file(&format!("mirror/{AWS}/terraform-provider-aws_5.100.0_{}.zip", platform()), "");
    assert_eq!(machine.place(), Place::Here(machine.at("mirror")));
}

#[test]
fn a_cache_spares_the_download_and_not_the_question() {
    let machine = Machine::new();
    machine.lock("5.100.0");
    machine.configure("plugin_cache_dir = \"$HOME/cache\"\n");
    assert_eq!(machine.place(), Place::Download(registry()));
    machine.mirror("cache", "5.100.0");
    assert_eq!(machine.place(), Place::Cached { cache: machine.at("cache"), host: registry() });
}

#[test]
fn without_a_lock_file_what_the_root_and_its_modules_name_or_use_is_needed() {
    let machine = Machine::new();
    machine.file(
        "root/versions.tf",
        "terraform {\n  required_providers {\n    corp = {\n      source  = \"example.com/corp/thing\"\n      version = \"~> \
         1.0\"\n    }\n  }\n}\nmodule \"m\" { source = \"./m\" }\nmodule \"vpc\" { source = \"terraform-aws-modules/vpc/aws\" }\n",
    );
    machine.file("root/m/main.tf", "resource \"random_id\" \"r\" {}\nresource \"corp_thing\" \"t\" {}\n");
    let found = machine.offline();
    let names: Vec<(&str, &Option<String>)> =
        found.providers.iter().map(|it| (it.source.as_str(), &it.version)).collect();
    let registry = |name: &str| format!("registry.terraform.io/hashicorp/{name}");
    let (aws, random, corp) = (registry("aws"), registry("random"), registry("corp"));
    let expected =
        [("example.com/corp/thing", &None), (aws.as_str(), &None), (corp.as_str(), &None), (random.as_str(), &None)];
    assert_eq!(names, expected, "a module that does not say where corp is from gets hashicorp's, as Terraform does it");
    assert_eq!(found.modules["module.vpc"], "terraform-aws-modules/vpc/aws");
}

#[test]
fn what_is_not_understood_is_said_and_nothing_is_claimed() {
    let machine = Machine::new();
    machine.lock("5.100.0");
    machine
        .configure("provider_installation {\n  dev_overrides {\n    \"hashicorp/aws\" = \"/x\"\n  }\n  direct {}\n}\n");
    let found = machine.offline();
    assert!(found.providers.is_empty() && found.doubts[0].contains(".terraformrc is not understood"), "{found:?}");
}
