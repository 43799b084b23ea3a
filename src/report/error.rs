//! How an error is shown: what failed, why, what to do about it, and the command that goes on.

use super::text::escape;

/// Lines of a cause that are shown; Terraform's may be very long.
const LINES: usize = 30;

/// The block that every error is shown as; each line escaped, ends with a line break.
///
/// ```text
/// error: step restore.aurora.logs failed
///   cause: snapshot arn:…:backup-0412 is encrypted with a key that is disabled in us-east-1
///   hint:  enable the key, or choose another with --recovery-point
///   next:  lifeboat resume 20261122T0312-prod-7f3a --retry restore.aurora.logs
/// ```
///
/// Nothing is cut or wrapped to a width, so that commands and ARNs can be copied.
pub fn error_block(what: &str, cause: Option<&str>, hint: Option<&str>, next: Option<&str>) -> String {
    let mut block = entry("error: ", what);
    for (label, text) in [("  cause: ", cause), ("  hint:  ", hint), ("  next:  ", next)] {
        if let Some(text) = text {
            block.push_str(&entry(label, text));
        }
    }
    block
}

/// A label and its text; further lines of the text stand under the first.
fn entry(label: &str, text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let margin = " ".repeat(label.len());
    let mut entry = format!("{label}{}\n", escape(lines.first().copied().unwrap_or_default()));
    for line in lines.iter().skip(1).take(LINES) {
        entry.push_str(format!("{margin}{}", escape(line)).trim_end());
        entry.push('\n');
    }
    if lines.len() > LINES + 1 {
        entry.push_str(&format!("{margin}… {} more lines\n", lines.len() - LINES - 1));
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_why_and_what_next() {
        insta::assert_snapshot!(error_block(
            "step restore.aurora.logs failed",
            Some("snapshot arn:…:backup-0412 is encrypted with a key that is disabled in us-east-1"),
            Some("enable the key, or choose another with --recovery-point"),
            Some("lifeboat resume 20261122T0312-prod-7f3a --retry restore.aurora.logs"),
        ), @r"
        error: step restore.aurora.logs failed
          cause: snapshot arn:…:backup-0412 is encrypted with a key that is disabled in us-east-1
          hint:  enable the key, or choose another with --recovery-point
          next:  lifeboat resume 20261122T0312-prod-7f3a --retry restore.aurora.logs
        ");
    }

    #[test]
    fn terraforms_own_lines_stand_under_one_another_and_are_harmless() {
        insta::assert_snapshot!(error_block("terraform apply failed", Some("Error: \x1b[31mcreating\n\n  on main.tf"), None, None), @r"
        error: terraform apply failed
          cause: Error: \u{1b}[31mcreating

                   on main.tf
        ");
        let long = error_block("x", Some(&"line\n".repeat(100)), None, None);
        assert!(long.ends_with("… 69 more lines\n"), "{long}");
    }
}
