//! A check as it is shown.

use jiff::Timestamp;

use super::*;
use crate::manifest::Component;
use crate::readiness::Store;
use crate::report::prometheus;
use crate::runbook::NotChecked;

fn found() -> Readiness {
    let at: Timestamp = "2026-11-22T03:12:00Z".parse().unwrap();
    let store = |component, name: &str, age: Option<i64>, rpo: Option<i64>, met| Store {
        component,
        name: name.into(),
        step: format!("restore.x.{name}").as_str().into(),
        recovery_point: Some("arn:x".into()),
        recovery_point_at: None,
        age_seconds: age,
        rpo_seconds: rpo,
        met,
    };
    let forecast = |component, kind, target_seconds, expected_seconds, met| Forecast {
        component,
        kind,
        target_seconds,
        expected_seconds,
        met,
    };
    Readiness {
        schema_version: 1,
        environment: "prod".into(),
        service: "streaming-logs".into(),
        account: "123456789012".into(),
        from_region: "eu-west-2".into(),
        to_region: "us-east-1".into(),
        checked_at: at,
        took_ms: 2_140,
        verdict: Verdict::ObjectiveMissed,
        in_place: false,
        stores: vec![
            store(Component::Aurora, "logs", Some(192), Some(900), Some(true)),
            store(Component::Table, "evil\"\n\u{1b}[2J", Some(7_200), Some(3_600), Some(false)),
            store(Component::Catalog, "logs", None, Some(86_400), None),
        ],
        objectives: vec![
            forecast(Component::System, ObjectiveKind::Rto, 21_600, Some(5_400), Some(true)),
            forecast(Component::System, ObjectiveKind::Rpo, 3_600, Some(7_200), Some(false)),
            forecast(Component::Catalog, ObjectiveKind::Rpo, 86_400, None, None),
        ],
        obstacles: vec![],
        warnings: vec![
            Finding::new(
                "terraform",
                "registry.terraform.io/hashicorp/aws 5.100.0 would be downloaded from registry.terraform.io",
            )
            .hint(Some("mirror it on this machine: terraform providers mirror DIR".into())),
        ],
        in_order: vec![Finding::new("lease", "nobody holds it")],
        not_checked: vec![NotChecked {
            what: "rows of cluster logs".into(),
            why: "no query is sent to the database".into(),
        }],
        credentials_until: Some(at),
    }
}

#[test]
fn a_check_fits_80_columns_and_says_first_whether_it_is_ready() {
    let text = readiness(&found(), Look::PLAIN);
    assert!(text.lines().all(|line| console::measure_text_width(line) <= 80), "{text}");
    insta::assert_snapshot!("readiness_missed", text);
    let obstacle = Finding::new("state bucket", "it does not exist").hint(Some("make it".into()));
    let blocked = Readiness { verdict: Verdict::NotReady, obstacles: vec![obstacle], ..found() };
    let text = readiness(&blocked, Look::PLAIN);
    assert!(text.starts_with("streaming-logs prod: NOT READY: one thing stands in the way\n"), "{text}");
    assert!(text.contains("stands in the way\n  ✗ state bucket: it does not exist\n      make it\n"), "{text}");
}

#[test]
fn a_check_is_a_document() {
    let json: serde_json::Value = serde_json::from_str(&readiness_json(&found()).unwrap()).unwrap();
    assert_eq!((json["schema_version"].as_u64(), json["verdict"].as_str()), (Some(1), Some("objective_missed")));
    assert_eq!(json["stores"][1]["age_seconds"], 7_200);
    assert_eq!(json["objectives"][1]["kind"], "rpo");
}

#[test]
fn metrics_are_one_sample_a_line_whatever_the_names_are() {
    let text = prometheus(&found());
    insta::assert_snapshot!("readiness_prometheus", text);
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    assert!(samples.clone().all(|line| line.starts_with("lifeboat_") && line.contains("{service=\"streaming-logs\"")));
    assert!(samples.filter_map(|line| line.rsplit(' ').next()).all(|value| value.parse::<f64>().is_ok()), "{text}");
}
