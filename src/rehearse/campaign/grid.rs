//! The grid of a matrix, for people in 80 columns and as JSON. Pure.

use super::matrix::{Answer, Cell, Matrix};
use crate::rehearse::RehearseError;
use crate::rehearse::fault::Way;
use crate::report::escape;

/// The widest name of a step that is shown whole.
const STEP: usize = 34;
const WAY: usize = 10;
const LEGEND: &str = "\
before      killed when the step's effect is asked for, and not yet carried out
after       killed when it is carried out, and lifeboat does not know it yet
reply-lost  the answer to it is lost; lifeboat lives
twice       done, forgotten by the journal, and done again over its own effect
n/a         the step has nothing to change, so there is no reply to lose
";

/// The grid with its legend, and every problem below it.
pub fn grid(matrix: &Matrix) -> String {
    let mut text = line("step", &Way::ALL.map(Way::name).map(str::to_owned));
    let mut steps: Vec<&str> = Vec::new();
    for cell in &matrix.cells {
        if !steps.contains(&cell.step.as_str()) {
            steps.push(&cell.step);
        }
    }
    for step in steps {
        let of = |way| matrix.cells.iter().find(|cell| cell.step == step && cell.way == way);
        text.push_str(&line(
            &escape(step),
            &Way::ALL.map(|way| of(way).map_or(String::new(), |cell| mark(cell).to_owned())),
        ));
    }
    text.push('\n');
    text.push_str(LEGEND);
    let red: Vec<&Cell> = matrix.cells.iter().filter(|cell| cell.answer == Answer::Red).collect();
    for cell in &red {
        text.push_str(&format!("\n{} {}: {}\n", escape(&cell.step), cell.way.name(), escape(&cell.seen)));
        text.extend(cell.problems.iter().map(|problem| format!("  {}\n", escape(problem))));
    }
    let count = |answer| matrix.cells.iter().filter(|cell| cell.answer == answer).count();
    let (green, not, missing) = (count(Answer::Green), count(Answer::NotApplicable), count(Answer::NotRun));
    let missing = if missing == 0 { String::new() } else { format!(", {missing} NOT RUN") };
    let minutes = matrix.wall_ms as f64 / 60_000.0;
    text.push_str(&format!(
        "\n{green} green, {} RED, {not} not applicable{missing}; {minutes:.1} minutes, {} side by side,\n\
         an undisturbed run alone {:.0} s\n",
        red.len(),
        matrix.side_by_side,
        matrix.undisturbed_ms as f64 / 1000.0,
    ));
    text
}

fn mark(cell: &Cell) -> &'static str {
    match cell.answer {
        Answer::Green => "ok",
        Answer::Red => "RED",
        Answer::NotApplicable => "n/a",
        Answer::NotRun => "not run",
    }
}

fn line(step: &str, cells: &[String; 4]) -> String {
    let step: String = step.chars().take(STEP).collect();
    let cells: String = cells.iter().map(|cell| format!("  {cell:<WAY$}")).collect();
    format!("{}\n", format!("{step:<STEP$}{cells}").trim_end())
}

/// The same for programs.
///
/// # Errors
/// It is no JSON, which cannot be.
pub fn grid_json(matrix: &Matrix) -> Result<String, RehearseError> {
    let mut json =
        serde_json::to_value(matrix).map_err(|error| RehearseError::io("the grid is no JSON")(error.into()))?;
    json["schema_version"] = 1.into();
    json["green"] = matrix.is_green().into();
    Ok(format!("{json:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(step: &str, way: Way, answer: Answer) -> Cell {
        let red = answer == Answer::Red;
        let problems =
            if red { vec!["rds:CreateDBInstance logs-1 was carried out 2 times, not 1".to_owned()] } else { vec![] };
        Cell {
            step: step.to_owned(),
            way,
            answer,
            seen: "killed at rds:CreateDBInstance of lifeboat; done by one resume".to_owned(),
            problems,
            wall_ms: 60_000,
        }
    }

    fn matrix() -> Matrix {
        let cells = vec![
            cell("infrastructure.plan", Way::Before, Answer::Green),
            cell("infrastructure.plan", Way::After, Answer::Green),
            cell("infrastructure.plan", Way::ReplyLost, Answer::NotApplicable),
            cell("infrastructure.plan", Way::Twice, Answer::Green),
            cell("restore.aurora.a-name-that-is-rather-long", Way::Before, Answer::Red),
        ];
        Matrix {
            scenario: "failover".to_owned(),
            cells,
            undisturbed_ms: 55_200,
            wall_ms: 1_230_000,
            side_by_side: 4,
            together: 1,
        }
    }

    #[test]
    fn the_grid_fits_80_columns_and_says_what_is_wrong() {
        let grid = grid(&matrix());
        // Below the grid, what is wrong is told in whole lines.
        let (shown, _) = grid.split_once("nothing to change, so there is no reply to lose").expect("a legend");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{grid}");
        insta::assert_snapshot!(grid);
    }

    #[test]
    fn one_red_cell_is_enough_and_none_at_all_is_not_green() {
        let mut matrix = matrix();
        assert!(!matrix.is_green());
        matrix.cells.pop();
        assert!(matrix.is_green(), "not applicable is neither");
        matrix.cells.clear();
        assert!(!matrix.is_green());
        assert!(grid_json(&matrix).is_ok_and(|json| json.contains("\"green\": false")));
    }
}
