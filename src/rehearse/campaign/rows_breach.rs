//! The faults of an answer to a breach, beside those of every run.

use super::rows::Stand::Tested;
use super::rows::{Row, row};

pub(super) const OF_A_BREACH: [Row; 11] = [
    row(
        "no recovery point of a store is clean after a breach",
        "said with the reason of each, before anything is done",
        Tested(&[
            "a_cluster_comes_back_from_its_newest_clean_snapshot_with_the_settings_of_the_one_that_stands",
            "a_contained_users_snapshot_and_one_within_the_margin_are_refused_and_every_candidate_is_listed",
        ]),
    ),
    row(
        "a rotation breaks off, is killed, or a reply of it is lost",
        "gone on with where it stood; nothing is rotated twice, and no key is left that nobody has",
        Tested(&[
            "lost_replies_rotate_nothing_twice_and_leave_no_key_that_nobody_has",
            "a_rotation_that_breaks_off_is_gone_on_with_where_it_stood",
            "a_run_that_is_killed_after_an_effect_goes_on_and_rotates_nothing_twice",
        ]),
    ),
    row(
        "the evidence bucket is missing, cannot be written, or goes down with the stack",
        "refused before anything is made, let alone destroyed",
        Tested(&[
            "without_a_bucket_to_write_to_nothing_is_made",
            "a_bucket_that_denies_writes_is_found_before_anything_is_made",
            "a_bucket_that_goes_down_with_the_stack_is_no_place_for_evidence",
        ]),
    ),
    row(
        "a byte of the evidence is changed, or there is none",
        "nothing is destroyed; what is changed is named",
        Tested(&[
            "whatever_was_done_to_the_evidence_closes_the_gate_and_is_named",
            "nothing_is_taken_away_while_the_evidence_does_not_verify",
            "a_gate_without_sealed_evidence_is_closed",
        ]),
    ),
    row(
        "what is protected is in the destroy plan, or something that nobody foresaw",
        "nothing of the plan is applied",
        Tested(&[
            "what_is_protected_or_holds_what_nobody_named_stands_in_the_way_before_anything_begins",
            "what_appears_after_the_plan_is_not_destroyed_with_it",
        ]),
    ),
    row(
        "a destroy breaks off half-way, or is killed",
        "gone on with; what is gone is known, and what was protected before as well",
        Tested(&[
            "a_teardown_that_breaks_off_half_way_is_gone_on_with_and_knows_what_is_gone",
            "a_teardown_killed_while_it_destroys_is_gone_on_with",
        ]),
    ),
    row(
        "AWS still holds a name: a secret to be deleted, a log group that came back, a final snapshot",
        "restored and adopted, or said before anything is destroyed",
        Tested(&[
            "a_stack_is_taken_down_but_for_what_stays_and_is_built_again",
            "a_secret_is_deleted_for_good_where_the_manifest_says_so",
            "a_final_snapshot_whose_name_is_taken_stands_in_the_way_and_one_that_is_left_is_told",
        ]),
    ),
    row(
        "a bucket that goes has 10,000 versions",
        "emptied in batches, as far as the evidence lists them",
        Tested(&["a_bucket_of_ten_thousand_versions_is_emptied_in_batches_and_one_that_stays_is_not"]),
    ),
    row(
        "the compromised identity runs lifeboat, or who breaks the glass would be shut out",
        "refused, before the run and before each step",
        Tested(&[
            "nobody_is_shut_out_who_has_to_work_on_this",
            "no_bucket_is_closed_to_those_who_have_to_open_it_again",
        ]),
    ),
    row(
        "a containment is killed half-way, or somebody changes the same thing meanwhile",
        "gone on with and undone to what was there before it; what is not ours is left alone",
        Tested(&[
            "a_containment_that_breaks_off_is_gone_on_with_and_undone_to_what_was_there_before_it",
            "a_process_that_died_between_two_entries_is_gone_on_with_and_a_number_that_was_taken_gives_way",
            "an_update_of_somebody_else_between_look_and_write_is_not_lost",
            "a_bucket_half_closed_by_a_process_that_died_is_closed_and_opened_to_what_was_there_before_it",
            "an_instance_half_cut_off_by_a_process_that_died_gets_back_what_it_had_before_it",
        ]),
    ),
    row(
        "the root on the operator's machine was changed",
        "a rebuild is refused: it is built from a commit, and each staged file is compared with it",
        Tested(&[
            "what_git_status_does_not_show_is_seen_as_well",
            "a_file_that_is_gone_and_a_link_that_was_bent_are_seen",
        ]),
    ),
];
