//! The evidence of one failure, by name.

use super::tokens::TokenRef;
use crate::projection::knowledge::condition::Look;
use crate::projection::knowledge::names::{self, NameId, Value};

/// Longer texts are cut.
const LONGEST: usize = 300;
/// Members of a list that are kept.
const MEMBERS: usize = 24;

#[derive(Clone, Debug)]
pub struct Gathered {
    values: Vec<Option<(Value, u64)>>,
    /// Places of `values` that are filled.
    filled: Vec<NameId>,
    /// What the answer says, in lower case.
    pub text: String,
    pub retry_after: Option<f64>,
    /// The token that the failure is about.
    pub token: Option<TokenRef>,
}

impl Gathered {
    pub fn new() -> Self {
        Self {
            values: vec![None; names::all().len()],
            filled: Vec::new(),
            text: String::new(),
            retry_after: None,
            token: None,
        }
    }

    /// One that holds a place, and no values.
    pub fn bare() -> Self {
        Self { values: Vec::new(), filled: Vec::new(), text: String::new(), retry_after: None, token: None }
    }

    /// Forgets all values, for the next record.
    pub fn clear(&mut self) {
        for name in self.filled.drain(..) {
            if let Some(slot) = self.values.get_mut(name.place()) {
                *slot = None;
            }
        }
    }

    /// `seq`: the record that shows it; zero for none.
    pub fn set(&mut self, key: &str, value: Value, seq: u64) {
        let known = names::find(key);
        debug_assert!(known.is_some(), "no such evidence: {key}");
        if let Some(id) = known
            && let Some(slot) = self.values.get_mut(id.place())
            && slot.replace((value, seq)).is_none()
        {
            self.filled.push(id);
        }
    }

    pub fn number(&mut self, key: &str, number: f64, seq: u64) {
        if number.is_finite() {
            self.set(key, Value::Number(number), seq);
        }
    }

    pub fn text(&mut self, key: &str, text: &str, seq: u64) {
        self.set(key, Value::Text(cut(text)), seq);
    }

    /// Of a long list the first; a last member says how many more there are.
    pub fn list(&mut self, key: &str, mut list: Vec<String>, seq: u64) {
        let more = list.len().saturating_sub(MEMBERS);
        list.truncate(MEMBERS);
        list.iter_mut().filter(|member| member.len() > LONGEST).for_each(|member| *member = cut(member));
        if more > 0 {
            list.push(format!("and {more} more"));
        }
        self.set(key, Value::List(list), seq);
    }

    pub fn flag(&mut self, key: &str, flag: bool, seq: u64) {
        self.set(key, Value::Flag(flag), seq);
    }

    /// The record that shows a name.
    pub fn seq(&self, name: NameId) -> Option<u64> {
        let (_, seq) = self.values.get(name.place())?.as_ref()?;
        Some(*seq).filter(|seq| *seq != 0)
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl Look for Gathered {
    fn look(&self, name: NameId) -> Option<&Value> {
        self.values.get(name.place())?.as_ref().map(|(value, _)| value)
    }
}
