//! The dependency lock file: which versions of which providers `init` has settled on (Terraform: "Dependency Lock File").

use std::collections::BTreeMap;
use std::path::Path;

use hcl_edit::structure::Body;

/// Its name in a root.
const NAME: &str = ".terraform.lock.hcl";

/// Provider addresses and versions; none where there is no such file, or none that can be read.
pub(super) fn versions(root: &Path) -> BTreeMap<String, String> {
    std::fs::read_to_string(root.join(NAME)).map(|text| of_text(&text)).unwrap_or_default()
}

fn of_text(text: &str) -> BTreeMap<String, String> {
    let Ok(body) = text.parse::<Body>() else { return BTreeMap::new() };
    let provider = |block: &hcl_edit::structure::Block| {
        let version = block.body.get_attribute("version")?.value.as_str()?.to_owned();
        Some((block.labels.first()?.as_str().to_owned(), version))
    };
    body.blocks().filter(|block| block.ident.as_str() == "provider").filter_map(provider).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_has_its_version() {
        let text = "# by init\nprovider \"registry.terraform.io/hashicorp/aws\" {\n  version     = \"5.100.0\"\n  constraints \
                    = \"~> 5.100\"\n  hashes = [\n    \"h1:x\",\n  ]\n}\n";
        let expected = [("registry.terraform.io/hashicorp/aws".to_owned(), "5.100.0".to_owned())];
        assert_eq!(of_text(text), BTreeMap::from(expected));
        assert!(of_text("{").is_empty());
    }
}
