//! The pages of faults, each written by a run of the whole matrix of its scenario. Pure.

use super::matrix::{Answer, Matrix};
use super::rows::{Stand, rows};
use crate::rehearse::fault::Way;
use crate::scenario::REBUILD;

const FAILOVER: &str = "\
# Faults, and what each is answered with
Written by `make faults`, which runs `lifeboat rehearse --fault matrix --write-docs docs/faults.md`; do not edit it. The
rows of the second table stand in `src/rehearse/campaign/rows.rs`; what a breach shows is in
[faults-breach.md](faults-breach.md).

## Every step, disturbed in every way
Each cell is a rehearsal of its own, from a copy of the same world: the real command, the real Terraform and provider,
an emulated AWS. A cell is green when the run came to its end, what may be made once was carried out exactly as often as
in an undisturbed run, the final world is the same, the journal is whole, and nothing was asked of the lost region. The
age of recovery points is not judged: nobody makes new ones in a world that stands for as long as the matrix takes.

";

const BREACH: &str = "\
# A rebuild after a breach, disturbed at every step
Written by `make breach-faults`, which runs `lifeboat rehearse --scenario breach --fault matrix --write-docs
docs/faults-breach.md`; do not edit it. What a failover shows is in [faults.md](faults.md).

The stack is built by Terraform in its primary region, filled, broken into, and its rebuild planned by one person and
approved by another: once. Each cell is a rebuild of its own by that bundle, from a copy of that world: the real command,
the real Terraform and provider, an emulated AWS. A cell is green when the run came to its end, what may be made once was
carried out exactly as often as in an undisturbed run, the final world is the same, the journal is whole, items and
objects are those of before the breach, the evidence verifies offline, Terraform has nothing left to change, and the
intruder is denied. The age of recovery points is not judged: nobody makes new ones in a world that stands for as long as
the matrix takes. The steps of the evidence write to one bucket, most of them side by side: the request at which one of
them is disturbed, while it is under way, may be another's.

";

const WAYS: &str = "\
- **before**: `kill -9` of lifeboat when the step's first effect has reached AWS's door and is not carried out yet
- **after**: when it is carried out, and lifeboat does not have the answer
- **reply lost**: it is carried out, the answer is lost, lifeboat lives
- **twice**: the step is done, its end is taken out of the journal, and it is done again over its own effect

A step without an effect of its own, or that finds nothing to change, is killed when its start, or its result, is in the
journal; no reply can be lost of it. Terraform outlives lifeboat, and its requests go on. Of Terraform's requests, the
reply is lost of one that says what shall be or shall not (`Put…`, `Set…`, `Delete…`), not of a creation. **What is not
survived by itself:** when the reply to one of Terraform's own creations is lost, its provider sends it again. One without
name or token (`ec2:CreateVpc`) is then made twice, and Terraform knows one of the two. One with a name
(`logs:CreateLogGroup`) is refused the second time and stands outside the state: the run is held, and goes on with
`lifeboat resume --retry infrastructure.apply --import ADDRESS=ID`.

";

/// The page.
pub fn page(matrix: &Matrix) -> String {
    let rebuilt = matrix.scenario == REBUILD;
    let mut page = format!("{}{WAYS}", if rebuilt { BREACH } else { FAILOVER });
    let missing = matrix.cells.iter().filter(|cell| cell.answer == Answer::NotRun).count();
    if missing > 0 {
        let of = matrix.cells.len();
        page.push_str(&format!(
            "**This matrix was interrupted: {missing} of its {of} cells were not run, and nothing is known of them.**\n\n"
        ));
    }
    if matrix.together > 1 {
        page.push_str(&format!(
            "Up to {} steps were disturbed in one rehearsal, one after the other, each in the same way. Where such a rehearsal came\n\
             to another end, each of its steps was disturbed once more in one of its own, and the cell tells of that.\n\n",
            matrix.together
        ));
    }
    page.push_str("| step | before | after | reply lost | twice |\n|---|---|---|---|---|\n");
    let mut steps: Vec<&str> = Vec::new();
    for cell in &matrix.cells {
        if !steps.contains(&cell.step.as_str()) {
            steps.push(&cell.step);
        }
    }
    for step in steps {
        let seen = Way::ALL.map(|way| {
            let cell = matrix.cells.iter().find(|cell| cell.step == step && cell.way == way);
            cell.map_or(String::new(), |cell| match cell.answer {
                Answer::Green => cell.seen.clone(),
                Answer::Red => format!("**RED**: {}", cell.problems.join("; ")),
                Answer::NotApplicable => "n/a".to_owned(),
                Answer::NotRun => "**not run**".to_owned(),
            })
        });
        page.push_str(&format!("| {step} | {} |\n", seen.map(|text| text.replace('|', "\\|")).join(" | ")));
    }
    if rebuilt {
        return page;
    }
    page.push_str("\n## All faults, and the tests that make them happen\n");
    page.push_str("| fault | answer | test, or why there is none |\n|---|---|---|\n");
    for row in rows() {
        let stand = match row.stand {
            Stand::Tested(tests) => tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(", "),
            Stand::InPart(tests, missing) => {
                let tests: Vec<_> = tests.iter().map(|test| format!("`{test}`")).collect();
                format!("{}; not tested: {missing}", tests.join(", "))
            }
            Stand::NotTested(why) => format!("not tested: {why}"),
        };
        page.push_str(&format!("| {} | {} | {stand} |\n", row.fault, row.answer));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::super::matrix::Cell;
    use super::*;

    #[test]
    fn each_scenario_has_a_page_of_its_own_and_what_was_not_run_is_said() {
        let cell = |way, answer| Cell {
            step: "teardown.destroy".to_owned(),
            way,
            answer,
            seen: "killed; done by one resume".to_owned(),
            problems: Vec::new(),
            wall_ms: 1,
        };
        let page_of = |scenario: &str| {
            page(&Matrix {
                scenario: scenario.to_owned(),
                cells: vec![cell(Way::Before, Answer::Green), cell(Way::After, Answer::NotRun)],
                undisturbed_ms: 1,
                wall_ms: 1,
                side_by_side: 1,
                together: 3,
            })
        };
        let (failover, rebuild) = (page_of("failover"), page_of(REBUILD));
        for page in [&failover, &rebuild] {
            assert!(page.contains("| teardown.destroy | killed; done by one resume | **not run** |"), "{page}");
            assert!(page.contains("1 of its 2 cells were not run"), "{page}");
        }
        assert!(failover.contains("nothing was asked of the lost region") && failover.contains("## All faults"));
        assert!(rebuild.contains("the\nintruder is denied") && !rebuild.contains("## All faults"), "{rebuild}");
    }
}
