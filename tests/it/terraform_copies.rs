//! The staged copy of a root: taken once in a run, anew only when asked, and on another machine only as it was.

use lifeboat::manifest::CommitRule;

use crate::terraform::{error_of, plan};
use crate::terraform_world::{Notes, Site};

#[tokio::test]
async fn a_run_takes_a_changed_root_only_when_asked_and_not_over_a_saved_plan() {
    let site = Site::new(&[("main.tf", "resource \"terraform_data\" \"a\" {\n  input = nothing.at.all\n}\n")]);
    let nothing = error_of(site.workdir().await.restage(false, None)).await;
    assert!(nothing.cause.contains("nothing has been staged"), "{nothing}");
    plan(&site.workdir().await).await.expect_err("a mistake in the root");
    site.write("root/main.tf", "resource \"terraform_data\" \"a\" {}\n");
    let workdir = site.workdir().await;
    plan(&workdir).await.expect_err("the copy is still the old one");
    let unreviewed = error_of(workdir.restage(false, Some(CommitRule::Clean))).await;
    assert!(unreviewed.cause.contains("the root is of no commit that could have been reviewed"), "{unreviewed}");
    plan(&workdir).await.expect_err("the copy is the old one even so");
    let (digest, _) = workdir.restage(false, None).await.expect("staged anew");
    assert_eq!(plan(&workdir).await.expect("the mistake is gone").add, 1);
    assert_eq!(workdir.ready(&Notes::default()).await.expect("ready").staged, digest);
    let refused = error_of(site.workdir().await.restage(false, None)).await;
    assert!(refused.cause.ends_with("the base plan of the old copy is saved and not applied yet"), "{refused}");
    workdir.apply("base", &Notes::default()).await.expect("applied");
    site.workdir().await.restage(false, None).await.expect("nothing is saved any more");
}

#[tokio::test]
async fn on_another_machine_the_root_must_be_the_one_that_the_run_was_planned_with() {
    let site = Site::new(&[("main.tf", "resource \"terraform_data\" \"a\" {}\n")]);
    let digest = site.workdir().await.ready(&Notes::default()).await.expect("ready").staged;
    std::fs::remove_dir_all(site.path("run/terraform")).expect("another machine has none of it");
    site.write("root/main.tf", "resource \"terraform_data\" \"b\" {}\n");
    let refused = site.workdir().await.stage_as(&digest).await.expect_err("another root");
    assert!(refused.to_string().contains(&digest) && refused.hint().is_some_and(|it| it.contains("--restage")));
    assert!(!site.path("run/terraform/tree").exists(), "no copy of it stays");
    let (new, _) = site.workdir().await.restage(true, None).await.expect("taken as it is");
    site.workdir().await.stage_as(&new).await.expect("it is there");
    site.write("root/main.tf", "resource \"terraform_data\" \"a\" {}\n");
    std::fs::remove_dir_all(site.path("run/terraform")).expect("once more");
    let workdir = site.workdir().await;
    workdir.stage_as(&digest).await.expect("the same root");
    assert_eq!(plan(&workdir).await.expect("it is planned anew").add, 1);
}
