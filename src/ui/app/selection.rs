//! Which records are selected, and the way back to what was selected before.

/// How far one can go back.
const STEPS: usize = 100;

#[derive(Debug, Default)]
pub struct Selection {
    seqs: Vec<u64>,
    back: Vec<Vec<u64>>,
    forward: Vec<Vec<u64>>,
}

impl Selection {
    /// The selected records, in the order of their selection.
    pub fn seqs(&self) -> &[u64] {
        &self.seqs
    }

    /// The record selected last.
    pub fn lead(&self) -> Option<u64> {
        self.seqs.last().copied()
    }

    /// Selects other records. True where that is a change.
    pub fn set(&mut self, seqs: Vec<u64>) -> bool {
        if seqs == self.seqs {
            return false;
        }
        let old = std::mem::replace(&mut self.seqs, seqs);
        if !old.is_empty() {
            self.back.push(old);
            if self.back.len() > STEPS {
                self.back.remove(0);
            }
        }
        self.forward.clear();
        true
    }

    pub fn can_go_back(&self) -> bool {
        !self.back.is_empty()
    }

    pub fn can_go_forward(&self) -> bool {
        !self.forward.is_empty()
    }

    pub fn go_back(&mut self) -> bool {
        let Some(seqs) = self.back.pop() else { return false };
        self.forward.push(std::mem::replace(&mut self.seqs, seqs));
        true
    }

    pub fn go_forward(&mut self) -> bool {
        let Some(seqs) = self.forward.pop() else { return false };
        self.back.push(std::mem::replace(&mut self.seqs, seqs));
        true
    }

    /// Another capture: its records have other meanings.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_back_and_forward_in_selections() {
        let mut s = Selection::default();
        assert!(s.set(vec![1]));
        assert!(!s.set(vec![1]), "the same again is no step");
        s.set(vec![2, 3]);
        s.set(vec![4]);
        assert!(s.go_back());
        assert_eq!((s.seqs(), s.lead()), ([2, 3].as_slice(), Some(3)));
        assert!(s.go_back() && !s.go_back());
        assert_eq!(s.seqs(), [1]);
        assert!(s.go_forward() && s.go_forward() && !s.go_forward());
        assert_eq!(s.seqs(), [4]);
        s.go_back();
        s.set(vec![9]);
        assert!(!s.can_go_forward(), "a new way forgets the old one");
    }

    #[test]
    fn the_way_back_is_bounded() {
        let mut s = Selection::default();
        for n in 0..1000 {
            s.set(vec![n]);
        }
        assert_eq!(s.back.len(), STEPS);
    }
}
