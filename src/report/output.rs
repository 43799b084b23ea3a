//! Writing to people who may have gone.

use std::io::{ErrorKind, Write};

/// A writer that never fails. When the other end is gone (`EPIPE` of a closed pipe, `EIO` of a terminal whose SSH
/// session dropped, a full disk), it falls silent: a recovery does not stop because nobody watches it, and the journal
/// has everything. Rust's runtime ignores SIGPIPE, so that such a write returns an error rather than ends the process.
pub struct Quiet<W: Write> {
    to: Option<W>,
}

impl<W: Write> Quiet<W> {
    pub fn new(to: W) -> Self {
        Self { to: Some(to) }
    }

    /// Whether the other end is gone.
    pub fn is_silent(&self) -> bool {
        self.to.is_none()
    }

    /// Writes the text at once, whole lines together. What a non-blocking terminal cannot take just now is lost.
    pub fn write(&mut self, text: &str) {
        let Some(to) = &mut self.to else { return };
        match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => self.to = None,
            _ => {}
        }
    }

    /// Writes the text and ends the line.
    pub fn line(&mut self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    #[cfg(test)]
    pub fn get_ref(&self) -> Option<&W> {
        self.to.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_makes_it_silent_and_nothing_else() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut quiet = Quiet::new(writer);
        quiet.line("somebody reads");
        assert!(!quiet.is_silent());
        drop(reader);
        quiet.line("nobody reads");
        quiet.line("and nobody will");
        assert!(quiet.is_silent());
    }
}
