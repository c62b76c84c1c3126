//! The filter language of the record table. Its help text is this module's documentation.

/// A parsed filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {}

/// Where a filter could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} (at character {at})")]
pub struct FilterError {
    /// Character, from 1.
    pub at: usize,
    pub what: String,
}

impl Filter {
    pub fn parse(_text: &str) -> Result<Self, FilterError> {
        todo!()
    }

    /// True where it lets everything through.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}
