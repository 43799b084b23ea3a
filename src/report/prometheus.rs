//! A check as metrics, for the textfile collector of Prometheus's node exporter (Prometheus: "Exposition formats", text
//! format).

use std::fmt::Write;

use crate::manifest::{Component, ObjectiveKind};
use crate::readiness::{Readiness, Verdict};

/// Metrics under construction.
struct Page {
    text: String,
    /// Labels that every sample has.
    common: Vec<(&'static str, String)>,
}

/// All metrics of a check, ended by a line break.
pub fn prometheus(found: &Readiness) -> String {
    let common = vec![("service", found.service.clone()), ("environment", found.environment.clone())];
    let mut page = Page { text: String::new(), common };
    let flag = |flag: bool| if flag { 1.0 } else { 0.0 };
    page.one(
        "ready",
        "Whether a failover could begin: nothing stands in its way.",
        flag(found.verdict != Verdict::NotReady),
    );
    page.one("objectives_met", "Whether no objective is known to be missed.", flag(found.missed().next().is_none()));
    let ages =
        found.stores.iter().filter_map(|store| Some(((store.component, store.name.as_str()), store.age_seconds?)));
    let ages: Vec<_> = ages.collect();
    page.by_store(
        "recovery_point_age_seconds",
        "Age of the recovery point that each store would be restored from.",
        &ages,
    );
    let worst = found.forecasts(ObjectiveKind::Rpo).filter_map(|it| Some(((it.component, ""), it.expected_seconds?)));
    let worst = worst.filter(|((component, _), _)| *component == Component::System);
    let rpo: Vec<_> = ages.iter().copied().chain(worst).collect();
    page.by_store(
        "rpo_seconds",
        "How much would be lost by a failover now; by component, and without a name in all.",
        &rpo,
    );
    for (kind, now, target) in [
        (ObjectiveKind::Rpo, None, "rpo_objective_seconds"),
        (ObjectiveKind::Rto, Some("rto_expected_seconds"), "rto_objective_seconds"),
    ] {
        if let Some(now) = now {
            let expected = found.forecasts(kind).filter_map(|it| Some((it.component, it.expected_seconds?)));
            page.by_component(now, "How long a failover usually takes until the component is recovered.", expected);
        }
        let targets = found.forecasts(kind).map(|it| (it.component, it.target_seconds));
        page.by_component(target, "The manifest's objective.", targets);
    }
    page.one("obstacles", "How many things stand in the way.", found.obstacles.len() as f64);
    page.one("warnings", "How many things are warned of.", found.warnings.len() as f64);
    page.one("not_checked", "How many things were not checked.", found.not_checked.len() as f64);
    if let Some(until) = found.credentials_until {
        page.one("credentials_end_timestamp_seconds", "When the credentials end.", until.as_second() as f64);
    }
    page.one("check_duration_seconds", "How long the check took.", found.took_ms as f64 / 1000.0);
    page.one("check_timestamp_seconds", "When it was checked.", found.checked_at.as_second() as f64);
    page.text
}

impl Page {
    fn head(&mut self, name: &str, help: &str) {
        write!(self.text, "# HELP lifeboat_{name} {help}\n# TYPE lifeboat_{name} gauge\n").ok();
    }

    fn sample(&mut self, name: &str, more: &[(&str, &str)], value: f64) {
        let common = self.common.iter().map(|(name, value)| (*name, value.as_str()));
        let labels = common.chain(more.iter().copied()).map(|(name, value)| format!("{name}=\"{}\"", label(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        writeln!(self.text, "lifeboat_{name}{{{labels}}} {value}").ok();
    }

    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help);
        self.sample(name, &[], value);
    }

    fn by_store(&mut self, name: &str, help: &str, values: &[((Component, &str), i64)]) {
        if !values.is_empty() {
            self.head(name, help);
        }
        for ((component, store), seconds) in values {
            self.sample(name, &[("component", component.name()), ("name", store)], *seconds as f64);
        }
    }

    fn by_component(&mut self, name: &str, help: &str, values: impl Iterator<Item = (Component, i64)>) {
        let values: Vec<_> = values.collect();
        if !values.is_empty() {
            self.head(name, help);
        }
        for (component, seconds) in values {
            self.sample(name, &[("component", component.name())], seconds as f64);
        }
    }
}

/// A label's value: backslash, quote and line feed are escaped, and nothing else may be.
fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_as_the_text_format_wants_it() {
        assert_eq!(label("a\"b\\c\nd é"), "a\\\"b\\\\c\\nd é");
    }
}
