use proptest::prelude::*;

use super::*;
use jiff::SignedDuration;

fn rule() -> CleanBefore {
    CleanBefore {
        before: "2026-11-22T03:00:00Z".parse().expect("a time"),
        margin: SignedDuration::from_hours(1),
        refused_makers: vec!["mallory".into(), "arn:aws:iam::1:role/deploy".into()],
    }
}

fn by(name: &str) -> Made {
    Made::By(vec![Maker { who: name.into(), names: vec![name.into()], at: None }])
}

fn point(arn: &str, minutes: i64, made: Made) -> Point {
    let at = Some(rule().cutoff() + SignedDuration::from_mins(minutes));
    let candidate = Candidate { arn: arn.into(), at, state: CandidateState::Usable };
    Point { candidate, kind: "manual".into(), key: None, key_fault: None, made }
}

proptest! {
    #[test]
    fn what_is_taken_is_never_too_new_never_a_refused_makers_and_the_newest_of_the_rest(
        drawn in prop::collection::vec((-500i64..500, 0usize..4, any::<bool>(), any::<bool>()), 0..12)
    ) {
        let makers = [by("mallory"), by("alice"), Made::Unknown("unknown".into()), Made::Service("RDS".into())];
        let points: Vec<Point> = drawn.iter().enumerate().map(|(n, (minutes, maker, usable, key))| {
            let mut point = point(&n.to_string(), *minutes, makers[*maker].clone());
            if !usable { point.candidate.state = CandidateState::Unusable("failed".into()); }
            point.key_fault = (!key).then(|| "Disabled".to_owned());
            point
        }).collect();
        let clean = |n: usize| { let (minutes, maker, usable, key) = drawn[n]; minutes <= 0 && maker != 0 && usable && key };
        let (taken, weighed) = weigh(&points, &rule());
        prop_assert_eq!(weighed.len(), points.len());
        let newest = (0..drawn.len()).filter(|n| clean(*n)).map(|n| drawn[n].0).max();
        prop_assert_eq!(taken.map(|n| drawn[n].0), newest);
        prop_assert!(taken.is_none_or(clean));
        prop_assert_eq!(weighed.iter().filter(|it| it.taken).count(), usize::from(taken.is_some()));
    }
}

#[test]
fn a_user_a_role_and_a_session_of_it_are_refused_and_others_of_like_names_are_not() {
    for name in
        ["mallory", "Mallory", "arn:aws:iam::1:user/ops/mallory", "arn:aws:sts::1:assumed-role/deploy/s", "deploy"]
    {
        assert!(by(name).refused(&rule().refused_makers).is_some(), "{name}");
    }
    for name in ["mallory2", "arn:aws:iam::1:user/deploy", "arn:aws:sts::1:assumed-role/other/mallory"] {
        assert_eq!(by(name).refused(&rule().refused_makers), None, "{name}");
    }
}

#[test]
fn without_a_clean_one_every_point_is_named_with_its_reason() {
    let points = [point("new", 1, by("alice")), point("hers", -1, by("mallory"))];
    let (taken, weighed) = weigh(&points, &rule());
    assert_eq!(taken, None);
    let said = none("cluster logs", &rule(), &weighed).cause;
    for part in ["cluster logs", "new, of 2026-11-22T02:01:00Z: newer than", "made by mallory, who is shut out"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn an_unknown_maker_is_to_be_signed_off() {
    let unknown = point("p", -1, Made::of(&["p"], &Makers::default()));
    assert!(doubt(&unknown).is_some_and(|doubt| doubt.contains("90 days")));
    assert_eq!(doubt(&point("p", -1, by("alice"))), None);
}
