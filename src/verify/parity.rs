//! Settings as they should be against settings as they are. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

/// A setting that is not as declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Terraform's name for it.
    pub setting: String,
    pub declared: String,
    pub actual: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, declared {}", self.setting, self.actual, self.declared)
    }
}

/// All of them in one line.
pub fn in_words(differences: &[Difference]) -> String {
    differences.iter().map(Difference::to_string).collect::<Vec<_>>().join("; ")
}

/// Collects differences. What is not declared, and what AWS does not tell, is not compared.
#[derive(Debug, Default)]
pub struct Parity {
    pub differences: Vec<Difference>,
}

impl Parity {
    pub fn value<T: PartialEq + fmt::Display>(&mut self, setting: &str, declared: Option<&T>, actual: Option<&T>) {
        if let (Some(declared), Some(actual)) = (declared, actual)
            && declared != actual
        {
            self.differ(setting, declared.to_string(), actual.to_string());
        }
    }

    /// Names of groups and the like, which AWS stores in small letters.
    pub fn name(&mut self, setting: &str, declared: Option<&String>, actual: Option<&String>) {
        let lower = |name: Option<&String>| name.map(|name| name.to_lowercase());
        self.value(setting, lower(declared).as_ref(), lower(actual).as_ref());
    }

    pub fn set(&mut self, setting: &str, declared: Option<&BTreeSet<String>>, actual: &BTreeSet<String>) {
        if let Some(declared) = declared
            && declared != actual
        {
            let words = |set: &BTreeSet<String>| format!("[{}]", set.iter().cloned().collect::<Vec<_>>().join(", "));
            self.differ(setting, words(declared), words(actual));
        }
    }

    /// Declared tags must be there; others may.
    pub fn tags(&mut self, declared: &BTreeMap<String, String>, actual: &BTreeMap<String, String>) {
        for (key, value) in declared {
            match actual.get(key) {
                Some(actual) if actual == value => {}
                Some(actual) => self.differ(&format!("tag {key}"), value.clone(), actual.clone()),
                None => self.differ(&format!("tag {key}"), value.clone(), "missing".to_owned()),
            }
        }
    }

    pub fn differ(&mut self, setting: &str, declared: impl Into<String>, actual: impl Into<String>) {
        self.differences.push(Difference {
            setting: setting.to_owned(),
            declared: declared.into(),
            actual: actual.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_declared_and_told_is_compared() {
        let mut parity = Parity::default();
        parity.value("port", None, Some(&3306));
        parity.value("port", Some(&3306), None);
        parity.value("port", Some(&3306), Some(&3306));
        parity.name("group", Some(&"Logs".to_owned()), Some(&"logs".to_owned()));
        assert_eq!(parity.differences, []);
        parity.value("port", Some(&3307), Some(&3306));
        assert_eq!(in_words(&parity.differences), "port is 3306, declared 3307");
    }

    #[test]
    fn tags_must_be_there_and_others_may() {
        let tags = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut parity = Parity::default();
        parity.tags(&tags(&[("Team", "a"), ("Cost", "1")]), &tags(&[("Team", "b"), ("lifeboat:run", "x")]));
        assert_eq!(in_words(&parity.differences), "tag Cost is missing, declared 1; tag Team is b, declared a");
    }
}
