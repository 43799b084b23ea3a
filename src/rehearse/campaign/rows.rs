//! The faults that lifeboat must survive, what each is answered with, and the test that makes it happen.
//!
//! Every test that is named here exists: a test of this file looks for it in the sources.

/// A fault.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub fault: &'static str,
    pub answer: &'static str,
    pub stand: Stand,
}

/// Whether the fault is made to happen.
#[derive(Clone, Copy, Debug)]
pub enum Stand {
    Tested(&'static [&'static str]),
    /// By these tests, except for what is said.
    InPart(&'static [&'static str], &'static str),
    NotTested(&'static str),
}

use super::rows_breach::OF_A_BREACH;
use Stand::{InPart, NotTested, Tested};

pub(super) const fn row(fault: &'static str, answer: &'static str, stand: Stand) -> Row {
    Row { fault, answer, stand }
}

/// All of them.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    FAULTS.iter().chain(&OF_A_BREACH)
}

const FAULTS: [Row; 34] = [
    row(
        "kill -9 before and after every effect, and at any moment",
        "resume ends in the same world: one cluster, one table, one change of records; what is unknown is observed",
        Tested(&[
            "a_failover_that_is_killed_again_and_again_is_finished_by_resume_and_does_nothing_twice",
            "a_run_that_was_killed_goes_on_where_its_journal_ends",
            "a_rehearsed_kill_is_resumed_and_a_fault_that_never_fired_is_no_passed_rehearsal",
        ]),
    ),
    row(
        "every step done twice",
        "the same world",
        InPart(
            &["applying_twice_makes_one_cluster_and_one_instance", "applying_twice_changes_nothing_the_second_time"],
            "for every step by the matrix above alone",
        ),
    ),
    row(
        "every step failing once, in turn",
        "held; what depends on it has not begun; then done",
        Tested(&[
            "each_step_failing_once_holds_what_depends_on_it_and_nothing_else",
            "a_failed_step_is_tried_again_only_when_the_operator_says_so",
        ]),
    ),
    row(
        "AWS accepted, the reply was lost",
        "same name or token, then a look; one effect",
        InPart(
            &[
                "a_lost_reply_to_the_restore_makes_one_cluster_and_one_table",
                "resume_after_a_lost_reply_observes_and_does_not_repeat",
                "a_copy_whose_answer_was_lost_is_found_and_not_made_again",
                "a_lock_whose_answer_was_lost_is_known_by_its_id_and_taken_away",
                "what_stands_already_is_taken_over_when_the_operator_says_so_and_is_not_made_again",
            ],
            "what Terraform creates without a name or a token (a VPC): its provider asks again, and there are two",
        ),
    ),
    row(
        "the journal's last line is torn",
        "dropped and said; work goes on",
        Tested(&["a_torn_last_line_is_dropped_and_the_rest_kept"]),
    ),
    row(
        "a line of the journal altered or missing in the middle",
        "refused, naming the line",
        Tested(&["a_line_cut_out_of_the_middle_is_refused_by_its_number"]),
    ),
    row(
        "the disk is full, or the folder of the runs cannot be used",
        "no effect begins, exit not zero, what was done is known",
        Tested(&[
            "a_failover_that_cannot_be_whole_changes_nothing_overwrites_nothing_and_moves_no_traffic",
            "a_full_disk_stops_the_run_and_every_append_after_it",
        ]),
    ),
    row(
        "two operators start the same failover",
        "the second is told who holds it, exit 3; an expired lease is taken over only by name",
        Tested(&[
            "of_two_failovers_one_goes_on_and_ctrl_c_brings_it_to_a_safe_place",
            "of_twenty_operators_at_once_one_gets_the_lease_and_the_others_know_who",
            "of_two_machines_that_race_fifty_times_exactly_one_goes_on_each_time",
        ]),
    ),
    row(
        "a holder comes back after a take-over",
        "its fencing number is old: refused",
        Tested(&[
            "a_holder_who_comes_back_after_a_take_over_can_neither_append_nor_replicate",
            "once_the_lease_is_lost_nothing_is_appended_and_nothing_begins",
        ]),
    ),
    row(
        "the operator's machine is lost",
        "another one goes on from the journal's copy",
        Tested(&["when_the_operators_machine_is_lost_another_one_waits_for_the_lease_and_goes_on_from_the_copy"]),
    ),
    row(
        "Ctrl-C or SIGTERM during apply",
        "one SIGINT to Terraform, patience, parked, state saved, resumable",
        Tested(&[
            "of_two_failovers_one_goes_on_and_ctrl_c_brings_it_to_a_safe_place",
            "an_interrupt_is_one_sigint_and_the_run_can_go_on",
        ]),
    ),
    row(
        "lifeboat dies, Terraform lives on",
        "resume waits for it and starts no second apply",
        Tested(&[
            "the_terraform_of_a_killed_lifeboat_is_waited_for",
            "a_failover_that_is_killed_again_and_again_is_finished_by_resume_and_does_nothing_twice",
        ]),
    ),
    row(
        "the state's lock is held by another",
        "waits, shows id, who and since when; unlocked only with the id typed",
        Tested(&[
            "whoever_holds_the_lock_is_named_and_is_waited_for_first",
            "anothers_lock_stays_until_its_id_is_typed_also_before_there_is_a_state",
            "a_lock_whose_answer_was_lost_is_known_by_its_id_and_taken_away",
        ]),
    ),
    row(
        "the state could not be saved",
        "errored.tfstate kept; further applies blocked until it is pushed",
        Tested(&[
            "a_state_that_could_not_be_saved_is_kept_and_must_be_pushed_first",
            "a_state_that_credentials_were_too_old_to_save_is_pushed_by_the_command_and_the_run_goes_on",
        ]),
    ),
    row(
        "a saved plan is stale",
        "planned again; the guards pass it or not; what is not as approved needs a new approval",
        Tested(&[
            "a_plan_that_went_stale_is_made_again_and_applied_once",
            "what_a_second_person_has_approved_runs_once_and_nothing_else_does",
        ]),
    ),
    row(
        "wrong account, region, workspace or lineage",
        "refused before any write",
        Tested(&[
            "a_wrong_account_stops_before_anything_is_staged",
            "another_account_is_refused",
            "the_provider_itself_refuses_another_account",
            "computed_regions_are_asked_of_the_provider_and_the_lost_one_is_refused",
            "workspaces_are_named_not_created_by_accident",
            "a_state_that_was_replaced_is_refused_before_anything_is_written",
        ]),
    ),
    row(
        "credentials expire half-way",
        "held, resumable with new ones",
        Tested(&["throttling_only_delays_and_expired_credentials_park_the_run_until_there_are_new_ones"]),
    ),
    row(
        "throttling, 5xx and resets at a fifth of the requests",
        "done, later; counted in the report",
        Tested(&[
            "throttling_only_delays_and_expired_credentials_park_the_run_until_there_are_new_ones",
            "the_failed_region_is_never_asked_and_throttling_and_resets_only_delay",
            "a_busy_s3_slows_the_copy_and_fails_no_object",
            "throttled_requests_are_done_later_and_a_lost_reply_was_carried_out",
        ]),
    ),
    row(
        "the failed region refuses, hangs, or answers late",
        "it is never asked",
        InPart(
            &[
                "rehearsal_ends_with_the_stack_in_the_recovery_region",
                "the_failed_region_is_never_asked_and_throttling_and_resets_only_delay",
            ],
            "hanging and late answers of a whole failover: `--outage hangs` and `--outage slow` show them",
        ),
    ),
    row(
        "Route 53's control plane is down",
        "held, with the words to do it by hand",
        Tested(&[
            "a_silent_route_53_keeps_nothing_from_being_restored_and_leaves_the_change_to_be_sent_by_hand",
            "who_takes_up_a_cutover_waits_for_the_change_that_was_sent",
        ]),
    ),
    row("DNS is partly propagated", "asked until all agree", NotTested("there is no check of resolvers yet")),
    row(
        "a restore says available but settings are missing",
        "the parity check fails it, repairs what may be repaired, proves it",
        Tested(&[
            "the_table_comes_back_with_everything_that_a_restore_loses",
            "a_setting_that_was_lost_after_the_restore_fails_the_verification_by_name",
            "a_setting_that_drifted_after_the_restore_fails_the_verification_by_name",
        ]),
    ),
    row(
        "restored data is short or altered",
        "verification fails, no cutover, exit 5",
        Tested(&[
            "a_failover_that_cannot_be_whole_changes_nothing_overwrites_nothing_and_moves_no_traffic",
            "a_table_that_is_short_fails_the_verification_with_both_numbers",
            "lost_partitions_and_unmet_expectations_fail_the_verification",
        ]),
    ),
    row(
        "a list is denied or cut short",
        "an error, never \"empty\"",
        Tested(&[
            "a_listing_that_breaks_off_is_an_error_and_not_missing_objects",
            "a_list_that_cannot_be_read_is_an_error",
            "a_listing_that_is_denied_or_cut_short_is_an_error_and_never_empty",
        ]),
    ),
    row(
        "a delete is accepted and the thing is still there, or comes back",
        "the proof after a teardown looks and fails; what came back is adopted",
        Tested(&[
            "a_remnant_fails_the_proof_and_without_evidence_nothing_may_begin",
            "a_stack_is_taken_down_but_for_what_stays_and_is_built_again",
        ]),
    ),
    row(
        "the clock jumps",
        "durations are monotonic; the lease goes by S3's clock and by one that counts sleep",
        Tested(&[
            "a_clock_that_jumps_does_not_falsify_times_within_a_process",
            "a_lease_expires_by_the_age_that_s3_tells_and_not_a_second_earlier",
            "a_laptop_that_slept_through_its_lease_does_nothing_when_it_wakes",
        ]),
    ),
    row(
        "a notification channel is down, slow, or answers 429",
        "never delays the recovery",
        NotTested("there are no notifications yet"),
    ),
    row(
        "the terminal is gone, standard output is closed",
        "the run goes on; the journal is whole",
        Tested(&[
            "a_run_goes_on_and_its_journal_is_whole_when_nobody_looks_on_any_more",
            "a_closed_pipe_makes_it_silent_and_nothing_else",
            "a_terminal_that_goes_away_is_no_failure",
        ]),
    ),
    row(
        "manifest, root or binary changed between start and resume",
        "refused unless the named difference is accepted",
        Tested(&[
            "every_difference_is_named_at_once_and_goes_on_only_when_all_are_accepted",
            "another_backend_is_never_accepted_and_an_old_journal_is_not_refused",
            "a_run_takes_a_changed_root_only_when_asked_and_not_over_a_saved_plan",
        ]),
    ),
    row(
        "names from the cloud with control characters, HTML, or `../`",
        "shown escaped; no file outside the run's folder",
        Tested(&[
            "terminal_commands_from_the_cloud_are_shown_not_obeyed",
            "names_bring_in_no_html_no_link_and_no_column",
            "control_characters_of_an_answer_do_not_reach_the_terminal",
            "no_name_from_the_manifest_leads_out_of_the_runs_folder",
        ]),
    ),
    row(
        "bucket, table, cluster or record stands already with other content",
        "a conflict: held, never overwritten",
        Tested(&[
            "what_the_target_holds_otherwise_is_a_conflict_and_stays",
            "a_table_of_that_name_that_is_not_ours_is_a_conflict_and_stays_as_it_is",
            "a_cluster_of_that_name_that_is_not_ours_is_a_conflict_and_stays_as_it_is",
        ]),
    ),
    row(
        "the snapshot is deleted, of a missing key, or still copying",
        "found before the run; at run time held",
        InPart(
            &[
                "a_snapshot_that_is_still_being_made_blocks_the_run_by_name",
                "without_a_snapshot_in_the_recovery_region_nothing_starts",
                "a_snapshot_whose_key_is_disabled_deleted_or_missing_blocks_by_name",
            ],
            "a snapshot that is deleted between the check and the restore",
        ),
    ),
    row(
        "an object changes or vanishes during the copy",
        "copied as it is by then, or named; never silently short",
        Tested(&[
            "a_source_that_changes_under_the_copy_is_copied_as_it_is_by_then",
            "an_object_that_vanishes_from_the_source_is_named",
        ]),
    ),
    row(
        "a million objects in one bucket",
        "bounded memory; no finished page is repeated",
        NotTested("the emulator needs 1.3 GB for 20,000"),
    ),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sources(dir: &Path, text: &mut String) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_test_that_is_named_exists() {
        let mut text = String::new();
        for dir in ["src", "tests"] {
            sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut text);
        }
        for row in rows() {
            let (Tested(tests) | InPart(tests, _)) = row.stand else { continue };
            assert!(!tests.is_empty());
            for test in tests {
                assert!(text.contains(&format!("fn {test}(")), "{test} makes {} happen, and is not there", row.fault);
            }
        }
    }
}
