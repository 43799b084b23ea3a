//! Takes the values of sensitive variables out of HCL that goes into a bundle: a var file's attributes, and the `variables`
//! of a manifest's regions. All else stays as it was written. Pure.

use std::collections::BTreeSet;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::Body;

use crate::terraform::difference::SENSITIVE;

/// Said instead of a text that cannot be read, so that nobody knows what is secret in it.
const UNREADABLE: &str = "# not shown: it cannot be read\n";

/// The text with the values of the variables of these names masked.
pub fn hide(text: &str, sensitive: &BTreeSet<String>) -> String {
    let Ok(body) = hcl_edit::parser::parse_body(text) else { return UNREADABLE.to_owned() };
    let mut spans: Vec<Range<usize>> = Vec::new();
    let attributes = body.attributes().filter(|it| sensitive.contains(it.key.as_str()));
    spans.extend(attributes.filter_map(|it| it.value.span()));
    for block in body.blocks().filter(|block| block.ident.as_str() == "region") {
        spans.extend(variables(&block.body, sensitive));
    }
    spans.sort_by_key(|span| std::cmp::Reverse(span.start));
    let mut shown = text.to_owned();
    for span in spans {
        shown.replace_range(span, &format!("\"{SENSITIVE}\""));
    }
    shown
}

fn variables(region: &Body, sensitive: &BTreeSet<String>) -> Vec<Range<usize>> {
    let Some(Expression::Object(object)) = region.get_attribute("variables").map(|it| &it.value) else {
        return Vec::new();
    };
    let is_secret = |key: &ObjectKey| {
        let name = match key {
            ObjectKey::Ident(name) => Some(name.as_str()),
            ObjectKey::Expression(name) => name.as_str(),
        };
        name.is_none_or(|name| sensitive.contains(name))
    };
    object.iter().filter(|(key, _)| is_secret(key)).filter_map(|(_, value)| value.expr().span()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_values_of_sensitive_variables_are_masked() {
        let sensitive = BTreeSet::from(["password".to_owned(), "keys".to_owned()]);
        let text = "# a comment\nname     = \"x\"\npassword = \"hunter2\" # why\nkeys = [\n  \"hunter3\",\n]\n";
        let shown = "# a comment\nname     = \"x\"\npassword = \"(sensitive)\" # why\nkeys = \"(sensitive)\"\n";
        assert_eq!(hide(text, &sensitive), shown);
        let manifest = "region \"recovery\" {\n  name = \"r\"\n  variables = { password = \"hunter2\", \"keys\" = [1], x = 2 }\n}\n";
        let shown = hide(manifest, &sensitive);
        assert!(shown.contains("{ password = \"(sensitive)\", \"keys\" = \"(sensitive)\", x = 2 }"), "{shown}");
        assert_eq!(hide("password = = 1", &sensitive), UNREADABLE);
    }
}
