//! The faults that lifeboat must survive, what each is answered with, and the test that makes it happen.

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
    InPart(&'static [&'static str], &'static str),
    NotTested(&'static str),
}

pub const ROWS: [Row; 0] = [];
