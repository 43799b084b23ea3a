//! `policies`: what conftest says of a plan's JSON, in the shape that it prints (conftest: "Output options", `json`).

use serde::Deserialize;

use super::{POLICIES, Violation};

/// What the policies said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub failures: Vec<String>,
    /// How many rules were asked.
    pub asked: u64,
}

impl Said {
    /// Each failure. No rule at all is one too: a folder without rules would be taken for one that has no objection.
    pub fn violations(self) -> Vec<Violation> {
        if self.asked == 0 {
            let what = "the policies have no rule that conftest would ask";
            let hint = "write rules named deny, violation or warn, or take `policies` out of the guard block";
            return vec![Violation::new(POLICIES, "", what).hint(hint)];
        }
        self.failures.into_iter().map(|message| Violation::new(POLICIES, "", message)).collect()
    }
}

/// The policies could not be asked.
pub fn not_asked(why: &str) -> Violation {
    let hint = "see to it that conftest can judge, or take `policies` out of the guard block";
    Violation::new(POLICIES, "", format!("the policies cannot be asked: {why}")).hint(hint)
}

#[derive(Deserialize)]
struct CheckResult {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    successes: u64,
    #[serde(default)]
    warnings: Option<Vec<RuleResult>>,
    #[serde(default)]
    failures: Option<Vec<RuleResult>>,
    #[serde(default)]
    exceptions: Option<Vec<RuleResult>>,
}

#[derive(Deserialize)]
struct RuleResult {
    #[serde(default)]
    msg: String,
}

/// Reads what conftest prints.
///
/// # Errors
/// It is not that, in words.
pub fn said(text: &str) -> Result<Said, String> {
    let results: Vec<CheckResult> =
        serde_json::from_str(text).map_err(|error| format!("what it says is not understood: {error}"))?;
    let mut said = Said::default();
    for result in results {
        let count = |list: &Option<Vec<RuleResult>>| list.as_ref().map_or(0, Vec::len) as u64;
        said.asked += result.successes + count(&result.warnings) + count(&result.failures) + count(&result.exceptions);
        let package = match result.namespace.as_str() {
            "" | "main" => String::new(),
            package => format!("{package}: "),
        };
        let failures = result.failures.unwrap_or_default().into_iter();
        said.failures.extend(failures.map(|it| format!("{package}{}", it.msg)));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_violations_and_warnings_are_none() {
        let text = r#"[
            {"filename": "p.json", "namespace": "main", "successes": 3,
             "warnings": [{"msg": "old", "metadata": {"query": "data.main.warn"}}],
             "failures": [{"msg": "no public buckets", "metadata": {"query": "data.main.deny"}}]},
            {"filename": "p.json", "namespace": "cost", "successes": 0, "failures": [{"msg": "too dear\nnothing else"}]}
        ]"#;
        let said = said(text).unwrap();
        assert_eq!(said.asked, 6);
        let violations: Vec<String> = said.violations().iter().map(ToString::to_string).collect();
        assert_eq!(violations, ["policies: no public buckets", "policies: cost: too dear\\nnothing else"]);
    }

    #[test]
    fn policies_without_a_rule_are_not_green() {
        for text in ["[]", r#"[{"filename": "p.json", "namespace": "main", "successes": 0}]"#] {
            assert_eq!(said(text).unwrap().violations().len(), 1, "{text}");
        }
        let passed = said(r#"[{"filename": "p.json", "namespace": "main", "successes": 1}]"#).unwrap();
        assert_eq!(passed.violations(), []);
    }

    #[test]
    fn other_words_are_not_taken_for_consent() {
        for text in ["", "Error: running test: load: no policies found in [policies]", "{}", "[{\"successes\": \"x\"}]"]
        {
            assert!(said(text).is_err(), "{text}");
        }
    }
}
