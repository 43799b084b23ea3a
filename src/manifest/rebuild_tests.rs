//! What a `rebuild` block may say.

use super::fixtures::valid;
use super::rules::each_refused;

#[test]
fn what_a_rebuild_keeps_is_judged() {
    each_refused(&[
        ("rebuild {\n  kept = []\n}\n", "did you mean `keep`?"),
        ("rebuild {\n  keep = \"aws_vpc.main\"\n}\n", "a list"),
        ("rebuild {\n  keep = [\"aws_vpc\"]\n}\n", "neither a dot nor a *"),
        ("rebuild {\n  secrets = delete\n}\n", "write restore or force_delete"),
        ("rebuild {\n  replace = [\"aws_vpc\"]\n}\n", "neither a dot nor a *"),
        ("rebuild {\n  empty = [\"logs-*\"]\n}\n", "not a bucket name"),
        ("rebuild \"a\" {\n}\n", "write rebuild { … }"),
        ("rebuild {\n}\nrebuild {\n}\n", "there are two rebuild blocks"),
        ("rebuilt {\n}\n", "did you mean `rebuild`?"),
    ]);
    let rebuild = valid(
        "rebuild {\n  keep = [\"module.data\"]\n  replace = [\"module.db\"]\n  empty = [\"results\"]\n  workgroups = \
         [\"logs\"]\n  secrets = force_delete\n}\n",
    )
    .rebuild;
    assert_eq!((rebuild.replace.len(), rebuild.empty.len(), rebuild.workgroups.len()), (1, 1, 1));
    assert_eq!((rebuild.keep.len(), rebuild.secrets), (1, crate::manifest::LingeringSecrets::ForceDelete));
    assert_eq!(
        valid("").rebuild,
        crate::manifest::Rebuild::default(),
        "nothing is kept by default, and no secret lost"
    );
}
