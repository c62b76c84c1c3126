//! Where entries stand, and how many.

use std::sync::Arc;

use super::{Place, Slot, Thread};
use crate::projection::conversation::{Conversation, Entry};

impl Thread {
    pub(super) fn position(&self, id: u64) -> Option<usize> {
        self.places.binary_search(&self.slots.get(&id)?.place).ok()
    }

    pub(super) fn put(&mut self, conv: &mut Conversation, place: Place, entry: Arc<Entry>) {
        // Nearly everything belongs at the end.
        let at = match self.places.last() {
            Some(last) if *last < place => self.places.len(),
            Some(_) => self.places.partition_point(|p| *p < place),
            None => 0,
        };
        self.places.insert(at, place);
        conv.entries.insert(at, entry);
    }

    pub(super) fn take(&mut self, conv: &mut Conversation, id: u64) -> Option<(Arc<Entry>, Slot)> {
        let at = self.position(id)?;
        let slot = self.slots.remove(&id)?;
        self.weight -= slot.weight;
        self.places.remove(at);
        Some((conv.entries.remove(at), slot))
    }

    /// How many of the first entries are over the bounds; none until a tenth more is there, so that cuts are few.
    fn over(&self) -> usize {
        let by_count = match self.places.len() {
            n if n > self.kept + self.kept / 10 => n - self.kept,
            _ => 0,
        };
        if self.weight <= self.kept_bytes + self.kept_bytes / 10 {
            return by_count;
        }
        let (mut weight, mut by_weight) = (self.weight, 0);
        // The last one stays, whatever it weighs.
        for place in self.places.iter().rev().skip(1).rev() {
            if weight <= self.kept_bytes {
                break;
            }
            weight -= self.slots.get(&place.id).map_or(0, |s| s.weight);
            by_weight += 1;
        }
        by_count.max(by_weight)
    }

    /// Cuts what is over the bounds, and at once what belongs before the cut.
    pub(super) fn shorten(&mut self, conv: &mut Conversation) {
        let late = self.floor.map_or(0, |floor| self.places.partition_point(|p| *p < floor));
        let cut = late.max(self.over());
        if cut == 0 {
            return;
        }
        let places: Vec<Place> = self.places.drain(..cut).collect();
        for place in &places {
            let Some(slot) = self.slots.remove(&place.id) else { continue };
            self.weight -= slot.weight;
            for name in slot.names {
                self.names.remove(&name);
                self.gone.insert(name);
            }
        }
        self.floor = self.floor.max(places.into_iter().rfind(|p| !p.in_flight));
        conv.older += cut as u64;
        let entries = conv.entries.drain(..cut);
        if let Some(kept) = &mut self.cut {
            for (n, entry) in entries.enumerate() {
                if n < late { kept.too_late.push(entry) } else { kept.in_order.push(entry) }
            }
        }
    }
}
